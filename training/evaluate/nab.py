"""The scoring rules of the Numenta Anomaly Benchmark, for detectors of anomalies in streams.

A. Lavin and S. Ahmad, Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark, ICMLA 2015;
the details are those of the published harness (version 1.1): the earliest alarm in a window of anomalies earns up to
1, more the earlier it is; a window without any costs 1; every other alarm costs up to 0.11, less just after a window.
The first 15 % of a series (of its first 5,000 values at most) are for learning and are not scored. A detector without
any alarm has 0, one that finds every window in its first moment and says nothing else 100.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PROBATION, LONGEST_PROBATION = 0.15, 750
FAR = 3.0
"""Widths of a window after which an alarm costs in full."""


@dataclass(frozen=True)
class Profile:
    """What alarms are worth; the names of NAB's profiles.

    Attributes:
        false_positive: cost of an alarm outside of windows.
        false_negative: cost of a missed window.
    """

    false_positive: float = 0.11
    false_negative: float = 1.0


STANDARD = Profile()
LOW_FALSE_POSITIVES = Profile(false_positive=0.22)
LOW_FALSE_NEGATIVES = Profile(false_negative=2.0)


@dataclass(frozen=True)
class NabSeries:
    """One series' scores and labels.

    Attributes:
        scores: (n,) of a detector.
        windows: first and last place of every window of anomalies, ascending.
    """

    scores: np.ndarray
    windows: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class NabScore:
    """What a detector reached.

    Attributes:
        score: 0 for silence, 100 for perfection; negative is possible.
        threshold: at or above which scores were alarms.
        found: windows with an alarm.
        windows: how many there are.
        false_alarms: alarms outside of windows, probation apart.
    """

    score: float
    threshold: float
    found: int
    windows: int
    false_alarms: int


def worth(place: np.ndarray | float) -> np.ndarray:
    """Worth of an alarm: ``place`` is -1 at the beginning of a window, 0 at its end, in widths of it.

    >>> float(worth(-1.0)).__round__(4), float(worth(0.0)), float(worth(4.0))
    (0.9866, 0.0, -1.0)
    """
    place = np.asarray(place, np.float64)
    return np.where(place > FAR, -1.0, 2 / (1 + np.exp(5 * np.minimum(place, FAR))) - 1)


def values(count: int, windows: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Worth (count,) of an alarm at each place of a series, and number (count,) of its window, -1 outside."""
    told, inside = np.full(count, -1.0), np.full(count, -1)
    most = float(worth(-1.0))
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        here = np.arange(first, last + 1)
        told[here] = worth(-(last - here + 1) / width) / most
        inside[here] = number
        until = windows[number + 1][0] if number + 1 < len(windows) else count
        after = np.arange(last + 1, until)
        told[after] = worth((after - last) / max(width - 1, 1))
    return told, inside


def nab_score(series: Sequence[NabSeries], threshold: float | None = None, profile: Profile = STANDARD) -> NabScore:
    """Score of a detector on a corpus.

    Args:
        series: the corpus.
        threshold: of alarms; the one that is best on the corpus if None, which is NAB's rule.
        profile: what alarms are worth.
    """
    scores, told, window, count = _together(series)
    if threshold is None:
        threshold = _best(scores, told, window, count, profile)
    alarm = scores >= threshold
    best = np.full(count, -profile.false_negative)
    np.maximum.at(best, window[alarm & (window >= 0)], told[alarm & (window >= 0)])
    outside = alarm & (window < 0)
    total = best.sum() + profile.false_positive * told[outside].sum()
    nothing = -profile.false_negative * count
    return NabScore(
        score=float(100 * (total - nothing) / (count - nothing)) if count else float("nan"),
        threshold=float(threshold),
        found=int((best > -profile.false_negative).sum()),
        windows=count,
        false_alarms=int(outside.sum()),
    )


def _together(series: Sequence[NabSeries]) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    scores, told, window, count = [], [], [], 0
    for one in series:
        worths, inside = values(len(one.scores), one.windows)
        begin = min(int(PROBATION * len(one.scores)), LONGEST_PROBATION)
        scores.append(np.nan_to_num(one.scores[begin:], nan=-np.inf))
        told.append(worths[begin:])
        window.append(np.where(inside[begin:] >= 0, inside[begin:] + count, -1))
        count += len(one.windows)
    return np.concatenate(scores), np.concatenate(told), np.concatenate(window), count


def _best(scores: np.ndarray, told: np.ndarray, window: np.ndarray, count: int, profile: Profile) -> float:
    """The threshold with the highest score, by lowering it past one value after another."""
    order = np.argsort(-scores, kind="stable")
    reached = np.full(count, -profile.false_negative)
    total, best, threshold = float(reached.sum()), float(reached.sum()), np.inf
    for rank, place in enumerate(order):
        number = window[place]
        if number < 0:
            total += profile.false_positive * told[place]
        elif told[place] > reached[number]:
            total += told[place] - reached[number]
            reached[number] = told[place]
        last_of_its_value = rank + 1 == len(order) or scores[order[rank + 1]] < scores[place]
        if last_of_its_value and total > best:
            best, threshold = total, float(scores[place])
    return threshold
