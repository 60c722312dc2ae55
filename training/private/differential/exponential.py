"""The exponential mechanism: the best of some candidates, or the best few, chosen by noisy scores.

A candidate is chosen with chance ∝ exp(ε · score / 2Δ), the same as the best after adding Gumbel noise of scale 2Δ/ε
to each score. It is drawn exactly: a uniform candidate is taken with chance exp(-ε · (best - score) / 2Δ), else another
is tried, so that no rounding of noise tells a score. McSherry and Talwar, Mechanism Design via Differential Privacy,
FOCS 2007.

A choice is ε-private and costs ε²/8 in zCDP, a quarter of what its ε would: the loss of all candidates lies within a
range of ε. Cesar and Rogers, Bounding, Concentrating, and Truncating, ALT 2021. The best few are chosen one after
another (Durfee and Rogers, Practical Differentially Private Top-k Selection, NeurIPS 2019) and cost as many times that.
"""

from fractions import Fraction

import numpy as np

from feature_repo.errors import InputError
from training.private.differential.coins import flips
from training.private.differential.guarantee import check_sensitivity
from training.private.differential.words import below

_BATCH = 1 << 18
"""Candidates that are tried at once."""


def rho_of(epsilon: float, count: int = 1) -> float:
    """Returns the cost of choosing some candidates, each with ε.

    >>> rho_of(0.5, count=4)
    0.125
    """
    return count * epsilon**2 / 8


def choose(
    scores: np.ndarray,
    epsilon: float,
    sensitivity: float,
    *,
    count: int = 1,
    is_one_sided: bool = False,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """(count,) int64 places of the chosen candidates, the first choice first.

    Args:
        scores: (n,) int64; larger is better.
        epsilon: ε of each choice.
        sensitivity: Δ, the most by which one person changes any score.
        count: how many are chosen, at most n.
        is_one_sided: whether one person more changes every score in the same direction, as counts do: then the choice
            is twice as sharp for the same ε.
        rng: a seeded generator, in tests; None for the operating system's randomness.

    Raises:
        InputError: there are fewer candidates, or ε or Δ is not above 0, or infinite.

    >>> choose(np.array([0, 900, 10]), 1.0, 1, count=2, rng=np.random.default_rng(0)).tolist()
    [1, 2]
    """
    check_sensitivity(sensitivity)
    check_sensitivity(epsilon)
    if not 1 <= count <= len(scores):
        raise InputError(
            expected=f"a choice of 1 to {len(scores)} candidates",
            found=str(count),
            next_command="choose fewer, or among more",
        )
    rate = Fraction(epsilon) / Fraction(sensitivity) / (1 if is_one_sided else 2)
    places, chosen = np.arange(len(scores)), []
    for _ in range(count):
        rest = scores[places].astype(np.int64)
        picked = _pick(rest.max() - rest, rate, rng)
        chosen.append(int(places[picked]))
        places = np.delete(places, picked)
    return np.array(chosen, np.int64)


def _pick(behind: np.ndarray, rate: Fraction, rng: np.random.Generator | None) -> int:
    """Draws a candidate with chance ∝ exp(-rate · behind)."""
    while True:
        tried = below(len(behind), min(4 * len(behind), _BATCH), rng)
        gaps = behind[tried]
        taken = np.flatnonzero(flips(gaps * float(rate), lambda index, gaps=gaps: rate * int(gaps[index]), rng))  # type: ignore[misc]
        if len(taken):
            return int(tried[taken[0]])
