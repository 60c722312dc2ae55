"""The scoring rules of the Numenta Anomaly Benchmark, for detectors of anomalies in streams.

A. Lavin and S. Ahmad, Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark, ICMLA 2015;
the details are those of the published harness (version 1.1). The earliest alarm in a window of anomalies earns up to
1, more the earlier it is. A window without any costs 1. Every other alarm costs up to 0.11, less just after a window.
The first 15 % of a series (of its first 5,000 values at most) are for learning and are not scored. A detector without
any alarm scores 0; one that finds every window in its first moment and raises no other alarm scores 100.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PROBATION, LONGEST_PROBATION = 0.15, 750
FAR = 3.0
"""Distance from a window, in widths of it, from which an alarm costs in full."""


@dataclass(frozen=True)
class Profile:
    """Costs of errors; the names are those of NAB's profiles.

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
    """Scores and labels of one series.

    Attributes:
        scores: (n,) anomaly scores of a detector.
        windows: first and last place of every window of anomalies, ascending.
    """

    scores: np.ndarray
    windows: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class NabScore:
    """The score of a detector.

    Attributes:
        score: 0 for no alarm at all, 100 for perfection; may be negative.
        threshold: lowest score that is an alarm.
        found: number of windows with an alarm.
        windows: number of windows.
        false_alarms: number of alarms outside of windows, without probation.
    """

    score: float
    threshold: float
    found: int
    windows: int
    false_alarms: int


def worth(place: np.ndarray | float) -> np.ndarray:
    """Computes the worth of an alarm; ``place`` is -1 at the beginning of a window, 0 at its end, in widths of it.

    >>> float(worth(-1.0)).__round__(4), float(worth(0.0)), float(worth(4.0))
    (0.9866, 0.0, -1.0)
    """
    place = np.asarray(place, np.float64)
    return np.where(place > FAR, -1.0, 2 / (1 + np.exp(5 * np.minimum(place, FAR))) - 1)


def values(count: int, windows: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Computes the worth (count,) of an alarm at each place, and the number (count,) of its window, -1 outside."""
    worths, window_numbers = np.full(count, -1.0), np.full(count, -1)
    worth_at_start = float(worth(-1.0))
    for window, (first, last) in enumerate(windows):
        width = last - first + 1
        places = np.arange(first, last + 1)
        worths[places] = worth(-(last - places + 1) / width) / worth_at_start
        window_numbers[places] = window
        next_start = windows[window + 1][0] if window + 1 < len(windows) else count
        places_after = np.arange(last + 1, next_start)
        worths[places_after] = worth((places_after - last) / max(width - 1, 1))
    return worths, window_numbers


def nab_score(series: Sequence[NabSeries], threshold: float | None = None, profile: Profile = STANDARD) -> NabScore:
    """Scores a detector on a corpus.

    Args:
        series: the corpus.
        threshold: lowest score that is an alarm; the best one on the corpus if None, which is NAB's rule.
        profile: costs of errors.
    """
    scores, worths, window_numbers, window_count = _concatenated(series)
    if threshold is None:
        threshold = _best(scores, worths, window_numbers, window_count, profile)
    alarm = scores >= threshold
    best_by_window = np.full(window_count, -profile.false_negative)
    np.maximum.at(best_by_window, window_numbers[alarm & (window_numbers >= 0)], worths[alarm & (window_numbers >= 0)])
    is_false_alarm = alarm & (window_numbers < 0)
    total = best_by_window.sum() + profile.false_positive * worths[is_false_alarm].sum()
    silence = -profile.false_negative * window_count
    return NabScore(
        score=float(100 * (total - silence) / (window_count - silence)) if window_count else float("nan"),
        threshold=float(threshold),
        found=int((best_by_window > -profile.false_negative).sum()),
        windows=window_count,
        false_alarms=int(is_false_alarm.sum()),
    )


def _concatenated(series: Sequence[NabSeries]) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    scores, worths, window_numbers, window_count = [], [], [], 0
    for one_series in series:
        series_worths, series_windows = values(len(one_series.scores), one_series.windows)
        begin = min(int(PROBATION * len(one_series.scores)), LONGEST_PROBATION)
        scores.append(np.nan_to_num(one_series.scores[begin:], nan=-np.inf))
        worths.append(series_worths[begin:])
        window_numbers.append(np.where(series_windows[begin:] >= 0, series_windows[begin:] + window_count, -1))
        window_count += len(one_series.windows)
    return np.concatenate(scores), np.concatenate(worths), np.concatenate(window_numbers), window_count


def _best(
    scores: np.ndarray, worths: np.ndarray, window_numbers: np.ndarray, window_count: int, profile: Profile
) -> float:
    """Finds the threshold with the highest score, by lowering it past one value after another."""
    order = np.argsort(-scores, kind="stable")
    best_by_window = np.full(window_count, -profile.false_negative)
    total, best, threshold = float(best_by_window.sum()), float(best_by_window.sum()), np.inf
    for rank, position in enumerate(order):
        window = window_numbers[position]
        if window < 0:
            total += profile.false_positive * worths[position]
        elif worths[position] > best_by_window[window]:
            total += worths[position] - best_by_window[window]
            best_by_window[window] = worths[position]
        last_of_its_value = rank + 1 == len(order) or scores[order[rank + 1]] < scores[position]
        if last_of_its_value and total > best:
            best, threshold = total, float(scores[position])
    return threshold
