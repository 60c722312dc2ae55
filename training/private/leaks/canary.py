"""A lower bound of ε by many runs: how well a test tells runs with a canary from runs without.

M. Jagielski, J. Ullman and A. Oprea, Auditing Differentially Private Machine Learning, NeurIPS 2020; with the exact
intervals of M. Nasr, S. Song, A. Thakurta, N. Papernot and N. Carlini, Adversary Instantiation, S&P 2021. A mechanism
is (ε, δ)-private only if every test has TPR ≤ e^ε FPR + δ, and TNR ≤ e^ε FNR + δ. Half of the runs choose the
threshold, the others judge it, so that the bound holds with its confidence whatever the scores are. The bound is of
these canaries and this test; the true ε may be larger.
"""

import numpy as np
from scipy import sparse
from scipy.stats import beta

from feature_repo.errors import InputError

THRESHOLDS = 200
"""Thresholds that are tried, at quantiles of the scores."""


def people(count: int, tracks: int, length: int, rng: np.random.Generator) -> sparse.csr_array:
    """(count, tracks) int64 canaries: people with so many random tracks, each once.

    Nobody listens like that, so that hardly anybody else adds to the same pairs of tracks.

    Raises:
        InputError: there are fewer tracks than a canary has.

    >>> people(3, 10, 4, np.random.default_rng(0)).sum(axis=1).tolist()
    [4, 4, 4]
    """
    if not 0 < length <= tracks:
        raise InputError(
            expected=f"canaries of 1 to {tracks} tracks",
            found=str(length),
            next_command="refrain model leaks --help",
        )
    chosen = np.concatenate([np.empty(0, np.int64), *(rng.permutation(tracks)[:length] for _ in range(count))])
    starts = np.arange(count + 1) * length
    rows = sparse.csr_array((np.ones(count * length, np.int64), chosen, starts), (count, tracks))
    rows.sort_indices()
    return rows


def epsilon_lower_bound(inside: np.ndarray, outside: np.ndarray, delta: float, confidence: float = 0.95) -> float:
    """Lower bound of ε from the scores of runs, 0 if nothing is shown.

    Args:
        inside: (n,) scores of independent runs whose data had the canary, higher for a likelier canary.
        outside: (m,) scores of runs without it. The order of both is of no meaning.
        delta: δ of the claim.
        confidence: chance that the bound holds, at least.

    Raises:
        InputError: fewer than two runs of a kind, a score that is not a number, or δ or the confidence out of range.

    >>> rng = np.random.default_rng(0)
    >>> round(epsilon_lower_bound(rng.normal(8, 1, 2_000), rng.normal(0, 1, 2_000), 1e-6), 1)
    5.6
    >>> epsilon_lower_bound(rng.normal(0, 1, 2_000), rng.normal(0, 1, 2_000), 1e-6)
    0.0
    """
    check(inside, outside, delta, confidence)
    marks = np.unique(np.quantile(np.concatenate([inside[::2], outside[::2]]), np.linspace(0, 1, THRESHOLDS)))
    by_false = _bounds(inside[::2], outside[::2], marks, delta, confidence)
    by_missed = _bounds(-outside[::2], -inside[::2], -marks, delta, confidence)  # the lower tail
    if by_false.max() >= by_missed.max():
        chosen = marks[[by_false.argmax()]]
        return float(_bounds(inside[1::2], outside[1::2], chosen, delta, confidence)[0])
    chosen = marks[[by_missed.argmax()]]
    return float(_bounds(-outside[1::2], -inside[1::2], -chosen, delta, confidence)[0])


def check(inside: np.ndarray, outside: np.ndarray, delta: float, confidence: float) -> None:
    """Checks the input of a lower bound.

    Raises:
        InputError: see ``epsilon_lower_bound``.
    """
    numbers = bool(np.isfinite(inside).all() and np.isfinite(outside).all())
    if min(len(inside), len(outside)) < 2 or not numbers or not 0 <= delta < 1 or not 0 < confidence < 1:
        raise InputError(
            expected="two or more finite scores with and without a canary, 0 ≤ δ < 1, 0 < confidence < 1",
            found=f"{len(inside)} and {len(outside)} scores, finite: {numbers}, δ {delta:g}, confidence {confidence:g}",
            next_command="refrain model leaks --help",
        )


def _bounds(
    inside: np.ndarray, outside: np.ndarray, thresholds: np.ndarray, delta: float, confidence: float
) -> np.ndarray:
    """The bound of each threshold, 0 where it shows nothing.

    Both intervals are two-sided, so that each may be wrong on its own side with half of what the confidence leaves.
    """
    tail = (1 - confidence) / 2
    true, false = ((scores >= thresholds[:, None]).sum(axis=1) for scores in (inside, outside))
    least = np.where(true > 0, beta.ppf(tail, np.maximum(true, 1), len(inside) - true + 1), 0.0) - delta
    missed = len(outside) - false
    most = np.where(missed > 0, beta.ppf(1 - tail, false + 1, np.maximum(missed, 1)), 1.0)
    return np.log(np.maximum(least, most) / most)
