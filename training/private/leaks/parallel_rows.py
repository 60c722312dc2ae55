"""What the sum of a few people's gradients still tells: rows that are parallel are of the same person.

In a sum G = Σ_p e_p u_pᵀ an item that only one person of the round has rated has a row along that person's vector. Rows
that point the same way belong together, and name that person's direction; with no more people than factors, all other
rows are then solved in these directions, and the people are apart as if each had sent by themselves. With more people,
the items that nobody else has rated are still told, as a group of one unknown person.
"""

import numpy as np

from training.private.leaks import reconstruction
from training.private.leaks.reconstruction import Reconstruction, main_direction, rated_items, ratings

ANGLE = 1e-9
"""Largest 1 − |cosine| of rows that count as parallel."""
FEWEST = 3
"""Rows that make a group: two of many are parallel by chance only to within rounding."""


def from_sums(
    first: np.ndarray,
    second: np.ndarray,
    items: np.ndarray,
    next_items: np.ndarray,
    *,
    rate: float,
    regularization: float = 0.0,
    angle: float = ANGLE,
) -> list[Reconstruction]:
    """Takes the sum of several people's gradients apart.

    Args:
        first: (items, factors) sum of gradients, as of ``reconstruction.from_gradients``.
        second: (items, factors) sum of gradients of the same people after their steps.
        items: (items, factors) vectors of the items.
        next_items: (items, factors) vectors of the items at the second sum.
        rate: γ.
        regularization: λ. Above 0 every person adds 2λv to the row of an item, which tells how many have rated it.
        angle: largest 1 − |cosine| of parallel rows; larger for gradients that were rounded.

    Returns:
        One entry a person who shows: all of their items and ratings where they are determined, else the items that
        nobody else has rated, with ratings of NaN.

    Raises:
        InputError: as ``reconstruction.from_gradients``.
    """
    reconstruction.check(first, second, items, next_items)
    rated = rated_items(first)
    plain = first[rated] - 2 * regularization * items[rated]
    later = second[rated] - 2 * regularization * next_items[rated]
    groups = parallel_groups(plain, angle)
    if not groups:
        return []
    directions = np.array([main_direction(plain[group])[0] for group in groups])
    later_directions = np.array([main_direction(later[group])[0] for group in groups])
    if regularization > 0:
        plain = _without_others(plain, directions, items[rated], 2 * regularization)
    shares = _shares(plain, directions)
    if shares is None:
        alone = [np.full(len(group), np.nan) for group in groups]
        return [Reconstruction(rated[group], known, 0.0) for group, known in zip(groups, alone, strict=True)]
    results = []
    for person, direction in enumerate(directions):
        size = np.abs(shares[:, person])
        own = np.flatnonzero(size > 1e-6 * size.max(initial=0.0))
        known = ratings(
            -shares[own, person] / 2, direction, later_directions[person], items[rated[own]], rate, regularization
        )
        results.append(Reconstruction(rated[own], known, 1.0))
    return results


def parallel_groups(rows: np.ndarray, angle: float = ANGLE) -> list[np.ndarray]:
    """Groups of ``FEWEST`` or more rows that point the same way, or the opposite one; largest first.

    >>> parallel_groups(np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0], [3.0, 1.0]]))[0].tolist()
    [0, 1, 2]
    """
    lengths = np.linalg.norm(rows, axis=1)
    units = rows / np.maximum(lengths, 1e-300)[:, None]
    left = np.ones(len(rows), bool)
    groups = []
    for row in range(len(rows)):
        if not left[row]:
            continue
        group = np.flatnonzero(left & (1 - np.abs(units @ units[row]) <= angle))
        left[group] = False
        if len(group) >= FEWEST:
            groups.append(group)
    return sorted(groups, key=len, reverse=True)


def _without_others(rows: np.ndarray, directions: np.ndarray, items: np.ndarray, unit: float) -> np.ndarray:
    """Rows without what each further person who has rated an item adds to it, a whole multiple of ``unit`` · v."""
    outside = np.eye(rows.shape[1]) - np.linalg.pinv(directions) @ directions
    vectors = items @ outside
    others = np.einsum("nd,nd->n", rows @ outside, vectors) / np.maximum(
        np.einsum("nd,nd->n", vectors, vectors), 1e-300
    )
    return np.asarray(rows - unit * np.rint(others / unit)[:, None] * items)


def _shares(rows: np.ndarray, directions: np.ndarray) -> np.ndarray | None:
    """(rows, people) parts of rows along the directions; None if these do not explain all rows uniquely."""
    if len(directions) > rows.shape[1] or np.linalg.matrix_rank(directions, 1e-6) < len(directions):
        return None
    shares = np.linalg.lstsq(directions.T, rows.T, rcond=None)[0].T
    is_explained = np.abs(rows - shares @ directions).max(initial=0) <= 1e-6 * np.abs(rows).max(initial=1e-300)
    return shares if is_explained else None
