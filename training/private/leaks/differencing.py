"""What two published sums tell about the person between them, and what the weights of EASE tell of its sums.

Sums over people are exact, so their difference is what the person has added: everything. Federated or not, an exact
model hides nobody by itself; noise does.
"""

import numpy as np

from feature_repo.errors import InputError
from training.exact.fixed_point import to_floats


def from_difference(before: np.ndarray, after: np.ndarray, bits: int = 0) -> np.ndarray:
    """(tracks,) weights of the person who is in one of two tables XᵀX and not in the other.

    The difference is ± xxᵀ: its diagonal has the squares of the weights, which are not negative.

    Args:
        before: (tracks, tracks) XᵀX, int64 multiples of 2^-(2 bits).
        after: (tracks, tracks) the same with one person more or less.
        bits: bits after the point of the weights.

    Raises:
        InputError: the tables differ by more than one person.

    >>> x = np.array([1, 0, 1])
    >>> from_difference(np.eye(3, dtype=int) + np.outer(x, x), np.eye(3, dtype=int)).tolist()
    [1.0, 0.0, 1.0]
    """
    difference = np.asarray(before) - np.asarray(after)
    units = np.rint(np.sqrt(np.abs(np.diagonal(difference)).astype(np.float64))).astype(np.int64)
    if not (np.array_equal(difference, np.outer(units, units)) or np.array_equal(-difference, np.outer(units, units))):
        raise InputError(
            expected="two tables of co-plays that differ by one person",
            found=f"a difference of rank {np.linalg.matrix_rank(difference.astype(np.float64))} or of noise",
            next_command="see docs/privacy_leaks.md",
        )
    return to_floats(units, bits)


def gram_from_weights(weights: np.ndarray, regularization: float) -> np.ndarray:
    """(tracks, tracks) int64 XᵀX, of plays that count once, that weights of EASE were solved from.

    B_ij = −P_ij / P_jj and P is symmetric, so that the ratios of its diagonal, and P up to a factor, are known.
    P⁻¹ − λI is XᵀX, whose cells are whole numbers: that gives the factor.

    Args:
        weights: (tracks, tracks) weights with a diagonal of zeros, of tracks that are connected by co-plays.
        regularization: λ.

    Raises:
        InputError: the tracks are not connected, or no factor gives whole numbers, as with noise or rounded weights.
    """
    tracks = len(weights)
    diagonal = np.zeros(tracks)
    diagonal[0], queue = 1.0, [0]
    while queue:  # P_jj = P_ii B_ji / B_ij along any path
        row = queue.pop()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = weights[:, row] / weights[row]
        new = np.flatnonzero((np.abs(weights[row]) > 1e-12) & (diagonal == 0) & np.isfinite(ratio) & (ratio > 0))
        diagonal[new] = diagonal[row] * ratio[new]
        queue += new.tolist()
    if (diagonal == 0).any():
        raise _not_exact("tracks without any co-plays among them")
    scaled = -weights * diagonal
    np.fill_diagonal(scaled, diagonal)
    matrix = np.linalg.inv((scaled + scaled.T) / 2)
    upper = np.abs(matrix[np.triu_indices(tracks, 1)])
    smallest = float(upper[upper > upper.max(initial=0) * 1e-6].min(initial=np.inf))
    for least in range(1, 100):  # the smallest count of co-plays
        counts = matrix * (least / smallest)
        counts[np.diag_indices(tracks)] -= regularization
        whole = np.rint(counts)
        if np.abs(counts - whole).max() < 0.01 and (np.diag(whole) >= whole.max(axis=0)).all():
            return whole.astype(np.int64)
    raise _not_exact("weights of which no factor gives whole counts")


def _not_exact(found: str) -> InputError:
    return InputError(
        expected="exact weights of EASE, in 64 bits, of tracks that are connected by co-plays",
        found=found,
        next_command="see docs/privacy_leaks.md",
    )
