"""The newest values of a window, newest first; values of equal time in alphabetical order."""

import numpy as np

from feature_repo.windows import Window
from transforms.batch.windows.items import Items, Rows, blocks, expand_ranges, is_run_start, sort_rows
from transforms.batch.windows.lists import Lists, first_of_each
from transforms.batch.windows.top_k import BLOCK


def last_n(items: Items, rows: Rows, window: Window, n: int) -> Lists:
    """Values and times of each row, with repeats; items are sorted by time, then by value in descending order."""
    first, stop = rows.ranges(items, window)
    first = np.maximum(first, stop - n)
    pieces = []
    for block in blocks(first, stop, BLOCK):
        place, owner = expand_ranges(first[block], stop[block])
        place = (first[block] + stop[block] - 1)[owner] - place  # newest first
        length = stop[block] - first[block]
        pieces.append(Lists(length, items.columns["value"][place], items.columns["last"][place]))
    return Lists.concat(pieces)


def last_n_distinct(items: Items, rows: Rows, window: Window, n: int) -> Lists:
    """Values and times of each row, each value once, at its last event."""
    first, stop = rows.ranges(items, window)
    next_tile = _next_tiles(items)
    return Lists.concat(
        [_distinct(items, next_tile, first[block], stop[block], n) for block in blocks(first, stop, BLOCK)]
    )


def _next_tiles(items: Items) -> np.ndarray:
    """(n,) position of the next tile of the same key and value; the number of tiles if there is none."""
    value = items.columns["value"]
    *_, order = sort_rows(items.code, value, np.arange(len(items)))
    is_same = ~is_run_start(items.code[order], value[order])[1:]
    out = np.full(len(items), len(items))
    out[order[:-1][is_same]] = order[1:][is_same]
    return out


def _distinct(items: Items, next_tile: np.ndarray, first: np.ndarray, stop: np.ndarray, n: int) -> Lists:
    place, owner = expand_ranges(first, stop)
    is_newest = next_tile[place] >= stop[owner]
    place, owner = place[is_newest], owner[is_newest]
    value, last = items.columns["value"][place], items.columns["last"][place]
    newest_time = last.max(initial=0)
    owner, age, value = sort_rows(owner, newest_time - last, value)
    return first_of_each(owner, (value, newest_time - age), len(first), n)
