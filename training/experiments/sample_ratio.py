"""Whether the arms have the sizes that they should have.

A mismatch means that something decided who is counted besides the hash: a crash of one arm, a redirect, a filter. No
effect can be read from such an experiment (A. Fabijan et al., Diagnosing Sample Ratio Mismatch, KDD 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

MISMATCH, SUSPICIOUS = 0.001, 0.01
"""p-values of the chi-squared test."""


@dataclass(frozen=True)
class SampleRatio:
    """Sizes of arms beside those that were declared.

    Attributes:
        found: listeners of each arm.
        expected: by the weights.
        p_value: of sizes that are as unlike, if only chance decided.
        verdict: ``matches``, ``suspicious`` or ``mismatch``.
    """

    found: tuple[int, ...]
    expected: tuple[float, ...]
    p_value: float
    verdict: str


def sample_ratio(found: Sequence[int], weights: Sequence[float]) -> SampleRatio:
    """Pearson's chi-squared test of sizes against weights.

    >>> sample_ratio([44_700, 45_489], [1, 1]).verdict
    'suspicious'
    """
    shares = np.asarray(weights, float) / np.sum(weights)
    expected = shares * np.sum(found)
    p_value = float(stats.chisquare(found, expected).pvalue) if np.sum(found) else 1.0
    verdict = "mismatch" if p_value < MISMATCH else "suspicious" if p_value < SUSPICIOUS else "matches"
    return SampleRatio(tuple(int(one) for one in found), tuple(expected.tolist()), p_value, verdict)
