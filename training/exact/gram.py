"""XᵀX of people's weights: how much two tracks are played by the same people. EASE and item-kNN are solved from it."""

import numpy as np
from scipy import sparse

from training.exact.fixed_point import LIMIT, to_integers
from training.exact.sums import Sums, Table

NAME = "gram"
BITS = 16
"""Bits after the point of weights that are not whole: off by at most 2^-17, 8 millionths."""


def rounded(weights: sparse.csr_array, bits: int) -> sparse.csr_array:
    """(rows, tracks) weights as multiples of 2^-bits, int64."""
    table = sparse.csr_array(
        (to_integers(weights.data, bits), weights.indices, weights.indptr), weights.shape, copy=True
    )
    table.eliminate_zeros()
    return table


def count(rows: sparse.csr_array) -> Sums:
    """XᵀX, (tracks, tracks), in multiples of 2^-(2 bits).

    By Cauchy and Schwarz no cell is larger than the largest of the diagonal, which is bounded before the product.

    Args:
        rows: (rows, tracks) int64 weights, of any people, as ``rounded`` gives them.

    Raises:
        InputError: a cell could overflow.

    >>> count(rounded(sparse.csr_array([[1, 1, 0], [0, 1, 0]]), 0))["gram"].toarray().tolist()
    [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    """
    squares = np.bincount(rows.indices, rows.data.astype(np.float64) ** 2, minlength=1)
    bound = min(int(squares.max() * (1 + 1e-9)), LIMIT)  # its own rounding included
    Table.of(sparse.csr_array((1, 1)), bound, NAME)
    return Sums({NAME: Table.of(rows.T @ rows, bound, NAME)})
