"""A lower bound of ε by a single run with many canaries, each in the data or not by the flip of a coin.

T. Steinke, M. Nasr and M. Jagielski, Privacy Auditing with One (1) Training Run, NeurIPS 2023, theorem 5.2. The auditor
guesses which canaries are in, and may abstain. If the mechanism is (ε, δ)-private, the number of right guesses is
hardly larger than a sum of coins with chance e^ε / (1 + e^ε); the δ part can add a little.
"""

import numpy as np
from scipy.stats import binom

from feature_repo.errors import InputError

GUESSED = 0.1
"""Share of the canaries that are guessed, half of them as in, half as out; fixed beforehand."""


def epsilon_lower_bound(
    scores: np.ndarray, is_in: np.ndarray, delta: float, confidence: float = 0.95, guessed: float = GUESSED
) -> float:
    """Lower bound of ε, 0 if nothing is shown.

    Args:
        scores: (m,) score of each canary in the run, higher for a likelier one; zero is what one out of the data has.
        is_in: (m,) whether a canary was in the data, each by its own fair coin.
        delta: δ of the claim.
        confidence: chance that the bound holds, at least.
        guessed: share of the canaries that are guessed.

    Raises:
        InputError: there are too few canaries to guess one of, scores that are not finite, or numbers out of range.

    >>> rng = np.random.default_rng(0)
    >>> is_in = rng.random(2_000) < 0.5
    >>> round(epsilon_lower_bound(is_in * 6 + rng.normal(0, 1, 2_000), is_in, 1e-6), 1)
    4.2
    >>> epsilon_lower_bound(rng.normal(0, 1, 2_000), is_in, 1e-6)
    0.0
    """
    count = int(len(scores) * guessed / 2)
    if count < 1 or len(scores) != len(is_in) or not np.isfinite(scores).all() or not 0 <= delta < 1:
        raise InputError(
            expected=f"finite scores of {int(np.ceil(2 / guessed))} canaries or more, and 0 ≤ δ < 1",
            found=f"{len(scores)} scores of {len(is_in)} canaries, δ {delta:g}",
            next_command="refrain model leaks --help",
        )
    order = np.argsort(scores, kind="stable")
    right = int(is_in[order[-count:]].sum() + (~is_in[order[:count]]).sum())
    low, high = 0.0, 64.0
    if _chance(0.0, len(scores), 2 * count, right, delta) > 1 - confidence:
        return 0.0
    for _ in range(40):
        middle = (low + high) / 2
        if _chance(middle, len(scores), 2 * count, right, delta) < 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def _chance(epsilon: float, canaries: int, guesses: int, right: int, delta: float) -> float:
    """Largest chance of so many right guesses if the mechanism is (ε, δ)-private."""
    coin = 1 / (1 + np.exp(-epsilon))
    by_coins = float(binom.sf(right - 1, guesses, coin))
    steps = np.arange(1, right + 1)
    nearly = np.cumsum(binom.pmf(right - steps, guesses, coin)) / steps
    return min(by_coins + 2 * canaries * delta * float(nearly.max(initial=0.0)), 1.0)
