"""Plays by track: of everybody, and of groups of people. Popularity, segments and outcomes are read off them."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from training.exact.fixed_point import to_integers
from training.exact.sums import Sums, Table

BITS = 20
"""Bits after the point of the plays that a row stands for: whole numbers are exact."""


def count(groups: Mapping[str, tuple[np.ndarray, np.ndarray]], tracks: int, bits: int = BITS) -> Sums:
    """Name of a group → (1, tracks) plays, in multiples of 2^-bits.

    Args:
        groups: name → (n,) track of each row, and (n,) plays that it stands for.
        tracks: number of tracks.
        bits: bits after the point.

    Raises:
        InputError: a cell could overflow.

    >>> count({"all": (np.array([0, 2, 2]), np.ones(3))}, 3, bits=0)["all"].toarray().tolist()
    [[1, 0, 2]]
    """
    tables = {}
    for name, (track, plays) in groups.items():
        units = to_integers(plays, bits)
        bound = int(units.max(initial=0)) * len(units)
        cells = sparse.csr_array((units, (np.zeros(len(track), np.int64), track)), (1, tracks))
        tables[name] = Table.of(cells, bound, f"plays of {name}")
    return Sums(tables)
