"""What a person rated, solved from two gradients that they send to a federated factor model.

D. Chai, L. Wang, K. Chen and Q. Yang, Secure Federated Matrix Factorization, IEEE Intelligent Systems 2021 (2019). A
person with vector u and ratings r_j sends for each rated item, with e_j = r_j − u·v_j and the item's vector v_j,

    g_j = −2 e_j u + 2 λ v_j,   then moves   u' = u + 2 γ Σ_j e_j v_j − 2 γ λ u   and sends once more.

The paper solves for all unknowns by iteration; here they are in closed form. All rows g_j − 2λv_j are multiples of u:
their direction d is known, with u = a·d and e_j = c_j / a for known c_j. The second upload gives the direction of u',
and only one a makes (1 − 2γλ) a·d + (2γ/a) Σ_j c_j v_j parallel to it. Then r_j = c_j / a + a·d·v_j. The same
gradients are those of −u and −r: ratings are taken as positive.
"""

from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError

NOTHING = 1e-9
"""Part of the largest row of a gradient below which a row is no item of the person."""


@dataclass(frozen=True)
class Reconstruction:
    """What an attacker concludes about one person.

    Attributes:
        items: (k,) items that the person has rated.
        ratings: (k,) their ratings; NaN where the uploads do not determine them.
        fit: share of the gradient's squares that one person explains; below 1 it was a sum of several.
    """

    items: np.ndarray
    ratings: np.ndarray
    fit: float


def from_gradients(
    first: np.ndarray,
    second: np.ndarray,
    items: np.ndarray,
    next_items: np.ndarray,
    *,
    rate: float,
    regularization: float = 0.0,
) -> Reconstruction:
    """Solves for the ratings of the person who sent two gradients one after the other.

    Args:
        first: (items, factors) gradient of the items' vectors; rows of zeros for items without a rating.
        second: (items, factors) the gradient after the person's step.
        items: (items, factors) the vectors of the items that the first was computed with, which the server knows.
        next_items: (items, factors) those of the second.
        rate: γ, step of the person's vector.
        regularization: λ.

    Raises:
        InputError: shapes differ, there is one factor alone, or a number is not finite.

    >>> rng = np.random.default_rng(0)
    >>> v, u, r = rng.normal(0, 1, (3, 2)), np.array([0.3, -0.2]), np.array([5.0, 1.0, 3.0])
    >>> one = -2 * np.outer(r - v @ u, u)
    >>> u2 = u + 2 * 0.01 * (r - v @ u) @ v
    >>> two = -2 * np.outer(r - v @ u2, u2)
    >>> from_gradients(one, two, v, v, rate=0.01).ratings.round(6).tolist()
    [5.0, 1.0, 3.0]
    """
    check(first, second, items, next_items)
    rated = rated_items(first)
    plain = first[rated] - 2 * regularization * items[rated]
    later_rated = rated_items(second)
    later = second[later_rated] - 2 * regularization * next_items[later_rated]
    direction, fit = main_direction(plain)
    later_direction, _ = main_direction(later)
    errors = -plain @ direction / 2  # c = e · a
    return Reconstruction(rated, ratings(errors, direction, later_direction, items[rated], rate, regularization), fit)


def ratings(
    errors: np.ndarray,
    direction: np.ndarray,
    later_direction: np.ndarray,
    items: np.ndarray,
    rate: float,
    regularization: float = 0.0,
) -> np.ndarray:
    """(k,) ratings of one person; NaN if no length of their vector fits the second direction.

    Args:
        errors: (k,) errors e_j times the length a of the person's vector, with its sign along the direction.
        direction: (factors,) direction of the person's vector, of length one.
        later_direction: (factors,) its direction after the step, of length one and either sign.
        items: (k, factors) vectors of the items that the person has rated: all of them, since all move the person.
        rate: γ.
        regularization: λ.
    """
    step = errors @ items  # Σ c_j v_j
    kept = 1 - 2 * rate * regularization
    sideways, step_sideways = (one - later_direction * (later_direction @ one) for one in (kept * direction, step))
    length = float(step_sideways @ step_sideways)
    ratio = -float(sideways @ step_sideways) / length if length > 0 else 0.0  # 2γ / a²
    if ratio <= 0:
        return np.full(len(errors), np.nan)
    scale = np.sqrt(2 * rate / ratio)
    signed = errors / scale + scale * (items @ direction)
    return np.asarray(signed if signed.sum() >= 0 else -signed)


def rated_items(gradient: np.ndarray) -> np.ndarray:
    """Numbers of the items whose row of a gradient is not zero."""
    sizes = np.abs(gradient).max(axis=1, initial=0.0)
    return np.flatnonzero(sizes > NOTHING * max(float(sizes.max(initial=0.0)), 1e-300))


def main_direction(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Direction of length one that rows have in common, and the share of their squares along it; 0 of no rows."""
    if not len(rows):
        return np.zeros(rows.shape[1]), 0.0
    values, vectors = np.linalg.eigh(rows.T @ rows)
    return vectors[:, -1], float(values[-1] / max(values.sum(), 1e-300))


def check(first: np.ndarray, second: np.ndarray, items: np.ndarray, next_items: np.ndarray) -> None:
    """Checks two uploads.

    Raises:
        InputError: see ``from_gradients``.
    """
    arrays = (first, second, items, next_items)
    shapes = {one.shape for one in arrays}
    if len(shapes) > 1 or first.ndim != 2 or first.shape[1] < 2 or not all(np.isfinite(one).all() for one in arrays):
        raise InputError(
            expected="two gradients and two tables of vectors, all of (items, factors), finite, of 2 factors or more",
            found=" and ".join(str(one.shape) for one in arrays),
            next_command="see docs/privacy_leaks.md",
        )
