"""Judges a difference by its interval: surely better, surely not worse by more than a margin, or undecided."""

import math
from typing import Literal

from training.validation.bootstrap import Interval

Outcome = Literal["pass", "fail", "undecided"]


def superiority(gain: Interval, fewest: int) -> Outcome:
    """Judges whether a version is surely better than another.

    Args:
        gain: how much better the version is; its whole interval must lie above 0.
        fewest: fewest clusters that can decide anything.

    >>> superiority(Interval(0.1, 0.02, 0.18, 400, 100), 20), superiority(Interval(0.1, -0.1, 0.3, 400, 100), 20)
    ('pass', 'undecided')
    >>> superiority(Interval(-0.1, -0.3, 0.1, 400, 100), 20), superiority(Interval(0.1, 0.02, 0.18, 9, 9), 20)
    ('fail', 'undecided')
    """
    if not _is_known(gain):
        return "undecided"
    if gain.mean <= 0:
        return "fail"
    return "pass" if gain.low > 0 and gain.clusters >= fewest else "undecided"


def non_inferiority(gain: Interval, allowed: float, fewest: int) -> Outcome:
    """Judges whether a version is surely not worse than another by more than ``allowed``.

    A difference that is 0 in every unit passes with any number of clusters, as both answer the same.

    >>> non_inferiority(Interval(-0.01, -0.04, 0.02, 400, 100), 0.05, 20)
    'pass'
    >>> non_inferiority(Interval(-0.04, -0.07, -0.01, 400, 100), 0.05, 20)  # surely worse, and perhaps by more
    'fail'
    >>> non_inferiority(Interval(0.01, -0.08, 0.1, 400, 100), 0.05, 20)
    'undecided'
    """
    if not _is_known(gain):
        return "undecided"
    if gain.low == gain.high == 0:
        return "pass"
    if gain.low >= -allowed and gain.clusters >= fewest:
        return "pass"
    return "fail" if gain.high < 0 else "undecided"


def in_words(gain: Interval, other: str) -> str:
    """Says which way a difference goes.

    >>> in_words(Interval(-0.26, -0.31, -0.2, 400, 100), "popularity")
    'worse than popularity by 0.2600 (0.2000 to 0.3100)'
    >>> in_words(Interval(0.01, -0.02, 0.04, 400, 100), "linear")
    'no sure difference from linear: +0.0100 (-0.0200 to +0.0400)'
    """
    if not _is_known(gain):
        return f"not comparable with {other}: {gain.units:,} units in {gain.clusters:,} clusters"
    if gain.low == gain.high == 0:
        return f"the same as {other}"
    if gain.low > 0:
        return f"better than {other} by {gain}"
    if gain.high < 0:
        return f"worse than {other} by {-gain.mean:.4f} ({-gain.high:.4f} to {-gain.low:.4f})"
    return f"no sure difference from {other}: {gain.signed}"


def units_needed(gain: Interval) -> int:
    """Estimates the units that would make the gain sure, if its mean stays as it is; 0 if the mean is not above 0."""
    if not _is_known(gain) or gain.mean <= 0:
        return 0
    return math.ceil(gain.units * ((gain.mean - gain.low) / gain.mean) ** 2)


def _is_known(gain: Interval) -> bool:
    return all(math.isfinite(end) for end in (gain.mean, gain.low, gain.high))
