"""The union of the silos' items from one masked sum: nobody sees which silo has which item.

Goodrich and Mitzenmacher: Invertible Bloom Lookup Tables (Allerton 2011). Each key is added to three cells of a table;
a cell sums the number of its keys, the keys, and a checksum of each. Tables of silos are added cell by cell, modulo
2^64, so that the sum can be masked. In the sum, a cell with one distinct key of multiplicity c (the number of silos
that have it) shows itself: its sum divided by c is a key whose checksum, c times, is in the cell. Such keys are taken
out of their other cells until nothing is left. With 1.5 cells a key that succeeds almost surely from a few hundred keys
on; a table that is too small fails as a whole, and a larger one is filled.
"""

import numpy as np

from feature_repo.errors import InputError

PARTS, WORDS_OF_CELL = 3, 3
CELLS_OF_KEY = 1.5
LEAST_CELLS = 64
"""Fewest cells of a part, as small tables fail more often."""


def words_of(keys: int) -> int:
    """Number of words of a table for a number of distinct keys."""
    return PARTS * WORDS_OF_CELL * _cells(keys)


def fill(keys: np.ndarray, capacity: int) -> np.ndarray:
    """(words,) uint64 table of (n,) distinct uint64 keys below 2^56.

    Args:
        keys: the keys.
        capacity: number of distinct keys, of all silos, that the table is made for.

    >>> both = fill(np.array([5, 7], np.uint64), 10) + fill(np.array([7, 9], np.uint64), 10)
    >>> peel(both, 10, silos=2)[0].tolist(), peel(both, 10, silos=2)[1].tolist()
    ([5, 7, 9], [1, 2, 1])
    """
    table = np.zeros((PARTS * _cells(capacity), WORDS_OF_CELL), np.uint64)
    _add(table, keys, np.ones(len(keys), np.uint64))
    return table.ravel()


def peel(words: np.ndarray, capacity: int, silos: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct keys of a sum of tables, ascending, and how many silos have each: two (n,) uint64.

    Args:
        words: the sum.
        capacity: what the tables were made for.
        silos: number of silos in the sum.

    Raises:
        InputError: the table is too small for its keys, or a silo filled it otherwise.
    """
    table = words.reshape(-1, WORDS_OF_CELL).copy()
    silos_of: dict[int, int] = {}
    for _ in range(len(table) + 1):
        count, total, check = table.T
        rows = np.flatnonzero((count >= 1) & (count <= silos))
        keys, remainders = total[rows] // count[rows], total[rows] % count[rows]
        is_pure = (remainders == 0) & (keys < 2**56) & (check[rows] == count[rows] * _mix(keys))
        is_pure &= (_places(keys, len(table) // PARTS) == rows).any(axis=0)
        if not is_pure.any():
            break
        keys, first = np.unique(keys[is_pure], return_index=True)
        counts = count[rows[is_pure]][first]
        _add(table, keys, np.negative(counts.view(np.int64)).view(np.uint64))
        silos_of.update(zip(keys.tolist(), counts.tolist(), strict=True))
    if table.any():
        raise InputError(
            expected=f"{capacity:,} items of all silos at most",
            found="a table that cannot be read: more items, or a silo that filled it otherwise",
            next_command="refrain model federate recommendation  (with a larger table)",
        )
    keys = np.array(sorted(silos_of), np.uint64)
    return keys, np.array([silos_of[key] for key in keys.tolist()], np.uint64)


def _cells(capacity: int) -> int:
    return max(LEAST_CELLS, int(np.ceil(capacity * CELLS_OF_KEY / PARTS)))


def _places(keys: np.ndarray, cells: int) -> np.ndarray:
    """(3, n) cell of each key, one in each third of the table."""
    return np.stack(
        [
            (_mix(keys + np.uint64((part + 1) * 2**57)) % np.uint64(cells)).astype(np.int64) + part * cells
            for part in range(PARTS)
        ]
    )


def _add(table: np.ndarray, keys: np.ndarray, counts: np.ndarray) -> None:
    cells = np.stack([counts, counts * keys, counts * _mix(keys)], axis=1)
    for places in _places(keys, len(table) // PARTS):
        np.add.at(table, places, cells)


def _mix(keys: np.ndarray) -> np.ndarray:
    """64 mixed bits of each key: the finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    values = keys + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))
