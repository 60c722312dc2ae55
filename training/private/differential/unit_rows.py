"""Rows of people of one length: each person adds the same amount to every sum, however much they played.

A row w of weights becomes the integers floor(2^bits · w / ‖w‖). It depends on nobody else's, and its squares add up to
at most 4^bits: rounding down cannot lengthen a row, and floating point errs by less than one in 10^12, so that the
integer sum of squares stays below 4^bits + 1.
"""

import numpy as np
from scipy import sparse

from feature_repo.errors import InputError

BITS = 10
"""Bits after the point: a track is lost from a row of more than 4^10, a million equal ones."""


def unit_rows(weights: sparse.csr_array, bits: int = BITS) -> sparse.csr_array:
    """Scales the rows of people to length 2^bits, rounded down.

    Args:
        weights: (people, tracks) weights, 0 or more.
        bits: 1 to 15.

    Returns:
        (people, tracks) int64; the squares of a row add up to 4^bits at most. People without weights have no cells.

    Raises:
        InputError: a weight is negative or not a number.

    >>> unit_rows(sparse.csr_array([[3.0, 4.0, 0.0], [0.0, 0.0, 7.0]]), 4).toarray().tolist()
    [[9, 12, 0], [0, 0, 16]]
    """
    rows = sparse.csr_array(weights, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    if not (np.isfinite(rows.data).all() and rows.data.min(initial=0) >= 0):
        raise InputError(
            expected="weights of plays of 0 or more",
            found="a negative weight, or one that is no number",
            next_command="refrain doctor  (a weight of plays is out of range)",
        )
    sizes = np.diff(rows.indptr)
    people = np.repeat(np.arange(rows.shape[0]), sizes)
    largest = np.zeros(rows.shape[0])
    np.maximum.at(largest, people, rows.data)  # squares of huge weights would overflow, those of tiny ones vanish
    relative = rows.data / np.where(largest > 0, largest, 1)[people]
    lengths = np.sqrt(np.bincount(people, relative**2, minlength=rows.shape[0]))
    scaled = np.floor(np.ldexp(relative / np.where(lengths > 0, lengths, 1)[people], bits))
    table = sparse.csr_array((scaled.astype(np.int64), rows.indices, rows.indptr), rows.shape)
    table.eliminate_zeros()
    return table
