"""The most frequent values of a window, most frequent first, equals in the order of their letters."""

import numpy as np

from feature_repo.windows import Window
from transforms.windows.items import Items, Rows, blocks, expanded
from transforms.windows.lists import Lists, first_of_each

BLOCK = 4_000_000
"""Tiles that are looked at together; memory is bounded by it."""


def top_k(items: Items, rows: Rows, window: Window, k: int) -> Lists:
    """Values and counts of each row."""
    first, stop = rows.ranges(items, window)
    return Lists.concat([_of(items, first[some], stop[some], k) for some in blocks(first, stop, BLOCK)])


def _of(items: Items, first: np.ndarray, stop: np.ndarray, k: int) -> Lists:
    place, owner = expanded(first, stop)
    value = items.columns["value"][place]
    order = np.lexsort((value, owner))
    owner, value, n = owner[order], value[order], items.columns["n"][place][order]
    new = np.flatnonzero(np.concatenate([[True], (owner[1:] != owner[:-1]) | (value[1:] != value[:-1])])[: len(owner)])
    n = np.add.reduceat(n, new) if len(new) else n
    owner, value = owner[new], value[new]
    order = np.lexsort((value, -n, owner))
    return first_of_each(owner[order], (value[order], n[order]), len(first), k)
