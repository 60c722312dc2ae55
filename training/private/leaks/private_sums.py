"""A lower bound of ε of a mechanism that adds noise to sums of pairs: one run, canaries in by the flip of a coin."""

import numpy as np
from scipy import sparse

from training.private.leaks import canary, one_run, people_sums
from training.private.leaks.leak import STATED, Leak
from training.private.leaks.people_sums import Release

CANARIES = 2_000
SMALL, MORE = 2.0, 0.25
"""Largest ε at which the surest tenth of the canaries says most; above it a share ``MORE`` is guessed."""
LEAST_NOISE = 1e-3
"""Variance of the noise, at least: a cell of one canary is not infinitely telling."""


def canary_scores(
    rows: sparse.csr_array, release: Release, length: int, rng: np.random.Generator, canaries: int = CANARIES
) -> tuple[np.ndarray, np.ndarray]:
    """Runs a mechanism once on people and canaries, each of them in by the flip of a coin.

    Returns:
        (canaries,) how much the noised sums have of each canary above what people and the average canary add, by how
        sure a cell is, and (canaries,) whether it was in.
    """
    people = canary.people(canaries, rows.shape[1], length, rng)
    added = people_sums.pairs(sparse.csr_array(sparse.vstack([rows, people])))
    is_in = rng.random(canaries) < 0.5
    everybody = np.concatenate([np.ones(rows.shape[0], np.int64), is_in.astype(np.int64)])
    noised = np.asarray(release(added.T @ everybody), np.float64)
    excess = noised - added.T @ np.concatenate([np.ones(rows.shape[0]), np.full(canaries, 0.5)])
    of_canaries = added[rows.shape[0] :]
    coins = np.asarray(of_canaries.sum(axis=0)).ravel() / 4  # variance of a cell by the coins of its canaries
    weights = 1 / (max(float(excess.var() - coins.mean()), LEAST_NOISE) + coins)
    return np.asarray(of_canaries @ (excess * weights)), is_in


def canary_leak(
    part: str,
    rows: sparse.csr_array,
    release: Release,
    length: int,
    epsilon: float,
    delta: float,
    rng: np.random.Generator,
) -> Leak:
    """The lower bound of ε by one run with canaries."""
    scores, is_in = canary_scores(rows, release, length, rng)
    low = one_run.epsilon_lower_bound(scores, is_in, delta, guessed=guessed_share(epsilon))
    about = f"{CANARIES:,} canaries of {length} random tracks among {rows.shape[0]:,} people"
    return bound_leak(part, low, epsilon, delta, about)


def guessed_share(epsilon: float) -> float:
    """Share of the canaries that are guessed, by the ε that is audited."""
    return one_run.GUESSED if epsilon <= SMALL else MORE


def bound_leak(part: str, low: float, epsilon: float, delta: float, about: str) -> Leak:
    """The figure of a lower bound of ε by one run with canaries."""
    judged = f"{about}, each in by the flip of a coin, in one run."
    question = f"Is ε = {epsilon:g} (δ = {delta:g}) kept?"
    return Leak("canaries", part, question, "lower bound of ε", low, low, None, epsilon, CANARIES, judged, STATED)
