"""How often a track is played after another, by the same person. Transitions are solved from it."""

from collections.abc import Iterable

import numpy as np
from scipy import sparse

from training.exact.fixed_point import to_integers
from training.exact.sums import Sums, Table

ORDERED, TIED = "ordered", "tied"
BITS = 32
"""Bits after the point of the weight of one pair: off by at most 2^-33."""
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""(n,) first track, track after it, weight of at most 1, whether both are of the same moment."""


def count(steps: Iterable[Pairs], tracks: int) -> Sums:
    """(tracks, tracks) weight of the column after the row; pairs of the same moment, which have no order, apart.

    Args:
        steps: pairs of plays of the same person, such as those one step apart, then two steps apart.
        tracks: number of tracks.

    Raises:
        InputError: a cell could overflow, as from two thousand million pairs on.
    """
    zero = Table.of(sparse.csr_array((tracks, tracks), dtype=np.int64), 0, ORDERED)
    sums = Sums({ORDERED: zero, TIED: zero})
    for first, after, weight, is_tied in steps:
        units = to_integers(weight, BITS)
        bound = int(units.max(initial=0)) * len(units)
        sums += Sums(
            {
                name: Table.of(
                    sparse.csr_array((units[those], (first[those], after[those])), (tracks, tracks)), bound, name
                )
                for name, those in ((ORDERED, ~is_tied), (TIED, is_tied))
            }
        )
    return sums
