"""How stable explanations are: under small changes of a row, and between fits with other seeds.

D. Alvarez-Melis and T. Jaakkola, On the Robustness of Interpretability Methods, 2018: rows that are alike and have the
same answer should have the same reasons.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import spearmanr

TOP = 3
"""Number of largest contributions that are the reasons of a row."""


def kept_reasons(
    predict: Callable[[np.ndarray], np.ndarray],
    contributions: Callable[[np.ndarray], np.ndarray],
    inputs: np.ndarray,
    *,
    size: float = 0.01,
    tolerance: float = 0.01,
    top: int = TOP,
    seed: int = 0,
) -> tuple[float, int]:
    """Computes the share of reasons that stay where a small change of the row leaves the answer nearly equal.

    Args:
        predict: function from rows to (n,) answers.
        contributions: function from rows to (n, d + 1) contributions, the last of which is the base value.
        inputs: (n, d) rows; missing values stay missing.
        size: standard deviation of the change of each column, as a share of the column's own.
        tolerance: largest change of an answer, as a share of the spread of all answers, with which a row counts.
        top: number of reasons of a row.
        seed: seed of the changes.

    Returns:
        The mean share of the reasons that stay, and the number of rows that count.
    """
    rng = np.random.default_rng(seed)
    deviations = np.nan_to_num(np.nanstd(inputs, axis=0))
    changed = inputs + size * deviations * rng.normal(size=inputs.shape)
    before, after = predict(inputs), predict(changed)
    is_near = np.abs(after - before) <= tolerance * max(float(before.std()), 1e-12)
    if not is_near.any():
        return float("nan"), 0
    reasons = [_top(contributions(rows[is_near])[:, :-1], top) for rows in (inputs, changed)]
    kept = [len(set(first) & set(second)) / top for first, second in zip(*reasons, strict=True)]
    return float(np.mean(kept)), int(is_near.sum())


def rank_correlation(importances: Sequence[np.ndarray]) -> float:
    """Computes the mean Spearman correlation of the columns' importance over all pairs of fits.

    Args:
        importances: (d,) mean absolute contribution of each column, for each fit; two or more.

    >>> rank_correlation([np.array([3.0, 2.0, 1.0]), np.array([9.0, 5.0, 4.0])])
    1.0
    """
    pairs = [
        float(spearmanr(importances[first], importances[second]).statistic)
        for first in range(len(importances))
        for second in range(first)
    ]
    return float(np.mean(pairs))


def _top(contributions: np.ndarray, count: int) -> list[list[int]]:
    return np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :count].tolist()  # type: ignore[no-any-return]
