"""The most frequent values of a window, most frequent first, equals in the order of their letters.

The counts of a block of rows make a matrix: as many columns as the key with most values has. Where that matrix would
be far larger than what is in the windows, the counts are found by sorting.
"""

import numpy as np

from feature_repo.windows import Window
from transforms.batch.windows.items import Items, Rows, begins, blocks, expanded, in_order
from transforms.batch.windows.lists import Lists, first_of_each

BLOCK = 4_000_000
"""Tiles that are looked at together; memory is bounded by it."""

SPARSE = 4
"""The matrix is made while it has no more cells than this for each tile."""


def top_k(items: Items, rows: Rows, window: Window, k: int) -> Lists:
    """Values and counts of each row."""
    first, stop = rows.ranges(items, window)
    number, start, words = _numbered(items)
    pieces = []
    for some in blocks(first, stop, BLOCK):
        place, owner = expanded(first[some], stop[some])
        count, width = len(first[some]), int(number[place].max(initial=0)) + 1
        n = items.columns["n"][place]
        if count * width > SPARSE * len(place):
            pieces.append(_by_sorting(owner, items.columns["value"][place], n, count, k))
            continue
        lists = _by_matrix(owner, number[place], n, (count, width), k)
        key = start[np.minimum(first[some], len(items) - 1)]
        lists.values = words[np.repeat(key, lists.length) + lists.values]
        pieces.append(lists)
    return Lists.concat(pieces)


def _numbered(items: Items) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values numbered within their key, in the order of their letters.

    Returns:
        (n,) number of each item's value; (n,) where its key begins in the values of all keys; those values.
    """
    code, value, order = in_order(items.code, items.columns["value"], np.arange(len(items)))
    new = begins(code, value)
    place = np.cumsum(new) - 1
    of_key = np.maximum.accumulate(np.where(begins(code), place, 0))
    number, start = np.empty(len(items), np.int64), np.empty(len(items), np.int64)
    number[order], start[order] = place - of_key, of_key
    return number, start, value[new]


def _by_matrix(owner: np.ndarray, number: np.ndarray, n: np.ndarray, shape: tuple[int, int], k: int) -> Lists:
    count, width = shape
    cells = np.bincount(owner * width + number, weights=n, minlength=count * width).astype(np.int64)
    ranked = (cells.reshape(shape) * width) + np.arange(width)[::-1]  # equals: the first by letters is the larger
    kept = min(k, width)
    if kept < width:
        ranked = -np.partition(-ranked, kept - 1, axis=1)[:, :kept]
    ranked = -np.sort(-ranked, axis=1)
    n, number = ranked // width, width - 1 - ranked % width
    there = n > 0
    return Lists(there.sum(axis=1), number[there], n[there])


def _by_sorting(owner: np.ndarray, value: np.ndarray, n: np.ndarray, rows: int, k: int) -> Lists:
    owner, value, n = in_order(owner, value, n)
    new = np.flatnonzero(begins(owner, value))
    n = np.add.reduceat(n, new) if len(new) else n
    most = n.max(initial=0)
    owner, fewer, value = in_order(owner[new], most - n, value[new])
    return first_of_each(owner, (value, most - fewer), rows, k)
