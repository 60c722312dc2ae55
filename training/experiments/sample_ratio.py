"""Tests whether the arms have their declared sizes.

A mismatch means that something other than the hash decides who is counted: a crash of one arm, a redirect, a filter. No
effect can be read from such an experiment (A. Fabijan et al., Diagnosing Sample Ratio Mismatch, KDD 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

MISMATCH, SUSPICIOUS = 0.001, 0.01
"""Limits of the chi-squared test's p-value."""


@dataclass(frozen=True)
class SampleRatio:
    """Sizes of the arms beside the declared ones.

    Attributes:
        found: listeners of each arm.
        expected: expected listeners of each arm, by the weights.
        p_value: chance of sizes at least as different, if only the hash decided.
        verdict: ``matches``, ``suspicious`` or ``mismatch``.
    """

    found: tuple[int, ...]
    expected: tuple[float, ...]
    p_value: float
    verdict: str


def sample_ratio(sizes: Sequence[int], weights: Sequence[float]) -> SampleRatio:
    """Tests sizes against weights with Pearson's chi-squared test.

    >>> sample_ratio([44_700, 45_489], [1, 1]).verdict
    'suspicious'
    """
    shares = np.asarray(weights, float) / np.sum(weights)
    expected = shares * np.sum(sizes)
    p_value = float(stats.chisquare(sizes, expected).pvalue) if np.sum(sizes) else 1.0
    verdict = "mismatch" if p_value < MISMATCH else "suspicious" if p_value < SUSPICIOUS else "matches"
    return SampleRatio(tuple(int(size) for size in sizes), tuple(expected.tolist()), p_value, verdict)
