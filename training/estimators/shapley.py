"""Shapley values of any model by sampling (E. Strumbelj and I. Kononenko, 2014).

Columns of a background row are replaced one after the other, in random orders; the change of the answer is that
column's contribution. Each order is also taken backwards, which reduces the variance of the mean (antithetic sampling,
R. Mitchell et al. 2022). The contributions of a row add up to its answer less the mean of the background, by
construction.
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
    """Computes (n, d + 1): the contribution of each column, and last the mean answer of the drawn background rows.

    Args:
        answer: function from rows (m, d) to answers (m,).
        inputs: (n, d) rows to explain.
        background: (b, d) rows whose values stand for unknown ones.
        orders: number of orders per row; half of them are the others backwards.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)
    rows, width = inputs.shape
    contributions = np.zeros((rows, width + 1))
    for row in range(rows):
        forward_orders = [rng.permutation(width) for _ in range(max(orders // 2, 1))]
        all_orders = [order for forward_order in forward_orders for order in (forward_order, forward_order[::-1])]
        base = background[np.repeat(rng.integers(0, len(background), len(forward_orders)), 2)]
        steps = np.repeat(base[:, None, :], width + 1, axis=1).astype(np.float32)
        for order_number, order in enumerate(all_orders):
            for position, column in enumerate(order):
                steps[order_number, position + 1 :, column] = inputs[row, column]
        flat = steps.reshape(-1, width)
        answers = np.concatenate([answer(flat[start : start + CHUNK]) for start in range(0, len(flat), CHUNK)])
        answers = answers.reshape(len(all_orders), width + 1)
        for order_number, order in enumerate(all_orders):
            contributions[row, order] += np.diff(answers[order_number]) / len(all_orders)
        contributions[row, -1] = answers[:, 0].mean()
    return contributions


def sampled(
    predict: Callable[[np.ndarray], np.ndarray], kind: Kind, inputs: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """Computes ``shapley`` of a model's answers, in log-odds if these are chances."""

    def answer(rows: np.ndarray) -> np.ndarray:
        predictions = predict(rows)
        return log_odds(predictions) if kind == "binary" else predictions

    return shapley(answer, inputs, background)


def log_odds(chance: np.ndarray) -> np.ndarray:
    """Converts chances to log-odds; chances near 0 and 1 are clipped."""
    clipped = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))
