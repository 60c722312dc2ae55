"""Shapley values of any model by sampling (E. Strumbelj and I. Kononenko, 2014).

Columns are put in place one after the other, in drawn orders, over rows of a background; what the answer moves by is
that column's. Each order is also taken backwards, which makes the mean of both less noisy (antithetic sampling,
R. Mitchell et al. 2022). The parts of a row add up to its answer less the mean of the background, by construction.
"""

from collections.abc import Callable

import numpy as np

from training.estimators.base import Kind

ORDERS = 16
CHUNK = 100_000


def shapley(
    answer: Callable[[np.ndarray], np.ndarray],
    inputs: np.ndarray,
    background: np.ndarray,
    *,
    orders: int = ORDERS,
    seed: int = 0,
) -> np.ndarray:
    """(n, d + 1): what each column adds, and the mean answer of the background rows that were drawn, last.

    Args:
        answer: rows (m, d) → (m,).
        inputs: (n, d) rows to explain.
        background: (b, d) rows that stand for not knowing.
        orders: how many are drawn for each row; half of them are the others backwards.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    count, width = inputs.shape
    found = np.zeros((count, width + 1))
    for row in range(count):
        forward = [rng.permutation(width) for _ in range(max(orders // 2, 1))]
        chosen = [order for one in forward for order in (one, one[::-1])]
        base = background[np.repeat(rng.integers(0, len(background), len(forward)), 2)]
        steps = np.repeat(base[:, None, :], width + 1, axis=1).astype(np.float32)
        for number, order in enumerate(chosen):
            for place, column in enumerate(order):
                steps[number, place + 1 :, column] = inputs[row, column]
        flat = steps.reshape(-1, width)
        told = np.concatenate([answer(flat[start : start + CHUNK]) for start in range(0, len(flat), CHUNK)])
        told = told.reshape(len(chosen), width + 1)
        for number, order in enumerate(chosen):
            found[row, order] += np.diff(told[number]) / len(chosen)
        found[row, -1] = told[:, 0].mean()
    return found


def sampled(
    predict: Callable[[np.ndarray], np.ndarray], kind: Kind, inputs: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """``shapley`` of a model's answers, in log-odds where these are chances."""

    def answer(rows: np.ndarray) -> np.ndarray:
        told = predict(rows)
        return log_odds(told) if kind == "binary" else told

    return shapley(answer, inputs, background)


def log_odds(chance: np.ndarray) -> np.ndarray:
    """Of chances, none of them quite 0 or 1."""
    safe = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.log(safe / (1 - safe))
