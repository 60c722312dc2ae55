"""The most frequent values of a window, most frequent first; values of equal count in alphabetical order.

Windows of consecutive rows overlap: where they share most of their tiles, as after each event of one listener, counts
are differences of prefix sums. Else the counts of a block of rows form a matrix with as many columns as the key with
most values has values. If that matrix would be far larger than the tiles in the windows, values are counted by sorting.
"""

import numpy as np

from feature_repo.windows import Window
from transforms.batch.windows.items import Items, Rows, blocks, expand_ranges, is_run_start, sort_rows
from transforms.batch.windows.lists import Lists, first_of_each

BLOCK = 4_000_000
"""Tiles that are processed together, which bounds memory."""

SPARSE = 4
"""Most cells per tile for which a matrix is used."""

OVERLAPPING = 100_000
"""Tiles that are processed together where windows overlap, so that few values occur among them."""


def top_k(items: Items, rows: Rows, window: Window, k: int) -> Lists:
    """The k most frequent values of each row, with their counts."""
    first, stop = rows.ranges(items, window)
    number, start, words = _numbered(items)
    pieces = []
    for block in blocks(first, stop, BLOCK):
        if (overlapping := _by_prefix_sums(items, first[block], stop[block], k)) is not None:
            pieces.append(overlapping)
            continue
        place, owner = expand_ranges(first[block], stop[block])
        count, width = len(first[block]), int(number[place].max(initial=0)) + 1
        n = items.columns["n"][place]
        if count * width > SPARSE * len(place):
            pieces.append(_by_sorting(owner, items.columns["value"][place], n, count, k))
            continue
        lists = _by_matrix(owner, number[place], n, (count, width), k)
        key = start[np.minimum(first[block], len(items) - 1)]
        lists.values = words[np.repeat(key, lists.length) + lists.values]
        pieces.append(lists)
    return Lists.concat(pieces)


def _numbered(items: Items) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers the values of each key in alphabetical order.

    Returns:
        (n,) number of each tile's value; (n,) position of its key's first value in the list of the values of all keys;
        that list.
    """
    code, value, order = sort_rows(items.code, items.columns["value"], np.arange(len(items)))
    is_new = is_run_start(code, value)
    place = np.cumsum(is_new) - 1
    of_key = np.maximum.accumulate(np.where(is_run_start(code), place, 0))
    number, start = np.empty(len(items), np.int64), np.empty(len(items), np.int64)
    number[order], start[order] = place - of_key, of_key
    return number, start, value[is_new]


def _by_prefix_sums(items: Items, first: np.ndarray, stop: np.ndarray, k: int) -> Lists | None:
    """Counts values by prefix sums over the tiles of some rows; None where that takes more cells than tiles permit."""
    pieces = []
    for block in blocks(first, stop, OVERLAPPING):
        low, high = int(first[block].min()), int(stop[block].max())
        values, number = np.unique(items.columns["value"][low:high], return_inverse=True)
        cells = (high - low + 1 + len(first[block])) * len(values)
        if cells > SPARSE * int((stop[block] - first[block]).sum()):
            return None
        sums = np.zeros((high - low + 1, len(values)), np.int64)
        sums[np.arange(1, high - low + 1), number] = items.columns["n"][low:high]
        np.cumsum(sums, axis=0, out=sums)
        lists = _largest(sums[stop[block] - low] - sums[first[block] - low], k)
        lists.values = values[lists.values]
        pieces.append(lists)
    return Lists.concat(pieces)


def _by_matrix(owner: np.ndarray, number: np.ndarray, n: np.ndarray, shape: tuple[int, int], k: int) -> Lists:
    count, width = shape
    cells = np.bincount(owner * width + number, weights=n, minlength=count * width).astype(np.int64)
    return _largest(cells.reshape(shape), k)


def _largest(cells: np.ndarray, k: int) -> Lists:
    """The k largest positive cells of each row, with the numbers of their columns; of equal ones, the first."""
    width = cells.shape[1]
    ranked = cells * width + np.arange(width)[::-1]
    length = min(k, width)
    if length < width:
        ranked = -np.partition(-ranked, length - 1, axis=1)[:, :length]
    ranked = -np.sort(-ranked, axis=1)
    n, number = ranked // width, width - 1 - ranked % width
    is_counted = n > 0
    return Lists(is_counted.sum(axis=1), number[is_counted], n[is_counted])


def _by_sorting(owner: np.ndarray, value: np.ndarray, n: np.ndarray, rows: int, k: int) -> Lists:
    owner, value, n = sort_rows(owner, value, n)
    new = np.flatnonzero(is_run_start(owner, value))
    n = np.add.reduceat(n, new) if len(new) else n
    largest = n.max(initial=0)
    owner, deficit, value = sort_rows(owner[new], largest - n, value[new])
    return first_of_each(owner, (value, largest - deficit), rows, k)
