"""Bars: where each begins, and how many beats it has; a bar pointer over beats, decoded by Viterbi.

The hidden state of a beat is the meter of its bar and its position in it, as in Whiteley, Cemgil, Godsill, Bayesian
modelling of temporal structure in musical audio (ISMIR 2006), with beats for time. The pointer moves on by one a beat;
after the last beat of a bar another begins, of the same meter or, at a cost, of another. A piece may begin anywhere in
a bar.
"""

import numpy as np

METERS = (2, 3, 4, 5, 6, 7)
_UNUSUAL = np.array([1.0, 1.0, 0.0, 2.5, 3.0, 2.5])
"""Cost of a meter, for the whole sound: what 4 beats are more likely than."""
_BAR = np.array([0.35, 0.1, 0.0, 0.15, 0.3, 0.2])
"""Cost of each bar of a meter."""
_CHANGE = 4.0
"""Cost of a change of the meter."""
_METER = np.repeat(np.arange(len(METERS)), METERS)
_PLACE = np.concatenate([np.arange(1, meter + 1) for meter in METERS])
_STARTS = np.flatnonzero(_PLACE == 1)
_ENDS = _STARTS + np.array(METERS) - 1


def decode(log_odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) position of each beat in its bar, from 1, and the (n,) beats of its bar.

    Args:
        log_odds: (n,) log odds that each beat is a downbeat.

    >>> decode(np.array([-3, 3, -3, -3, 3, -3, -3, 3, -3, -3.0]))[0].tolist()
    [3, 1, 2, 3, 1, 2, 3, 1, 2, 3]
    """
    count = len(log_odds)
    if not count:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    into = _CHANGE * (1 - np.eye(len(METERS)))  # [meter before, meter after]
    back = np.zeros((count, len(METERS)), np.int64)
    score = -_UNUSUAL[_METER].copy()
    score[_STARTS] += log_odds[0] - _BAR
    for beat in range(1, count):
        ends = score[_ENDS][:, None] - into
        back[beat] = ends.argmax(axis=0)
        score[1:] = score[:-1]
        score[_STARTS] = ends.max(axis=0) + log_odds[beat] - _BAR
    state = int(score.argmax())
    path = np.empty(count, np.int64)
    for beat in range(count - 1, -1, -1):
        path[beat] = state
        state = int(_ENDS[back[beat, _METER[state]]]) if _PLACE[state] == 1 else state - 1
    return _PLACE[path], np.array(METERS)[_METER[path]]
