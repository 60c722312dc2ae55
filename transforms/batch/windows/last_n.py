"""The newest values of a window, newest first; values of equal time in alphabetical order."""

import numpy as np

from feature_repo.windows import Window
from transforms.batch.windows.items import Items, Rows, blocks, expand_ranges, is_run_start, sort_rows
from transforms.batch.windows.lists import Lists, first_of_each
from transforms.batch.windows.top_k import BLOCK

LOOK_BACK = 2
"""Tiles for each distinct value that are looked through first."""


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
    start = _recent(items, next_tile, first, stop, n)
    return Lists.concat(
        [_distinct(items, next_tile, start[block], stop[block], n) for block in blocks(start, stop, BLOCK)]
    )


def _recent(items: Items, next_tile: np.ndarray, first: np.ndarray, stop: np.ndarray, n: int) -> np.ndarray:
    """(rows,) place from ``first`` on from which the tiles up to ``stop`` hold the n newest distinct values.

    A window of years is not looked through to its beginning for values that the last weeks have. All tiles of one time
    are taken or none, because only tiles of different times are in the order of their last events.
    """
    start_of_time = np.maximum.accumulate(np.where(is_run_start(items.place), np.arange(len(items)), 0))
    start, open_rows, reach = first.copy(), np.flatnonzero(stop - first > LOOK_BACK * n), LOOK_BACK * n
    while len(open_rows):
        candidate = start_of_time[np.maximum(stop[open_rows] - reach, first[open_rows])]
        candidate = np.maximum(candidate, first[open_rows])
        counts = np.concatenate(
            [
                _count_newest(next_tile, candidate[block], stop[open_rows][block])
                for block in blocks(candidate, stop[open_rows], BLOCK)
            ]
        )
        is_enough = counts >= n
        start[open_rows[is_enough]] = candidate[is_enough]
        open_rows = open_rows[~is_enough & (candidate > first[open_rows])]
        reach *= 2
    return start


def _count_newest(next_tile: np.ndarray, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """(rows,) number of distinct values in some ranges of tiles."""
    place, owner = expand_ranges(first, stop)
    return np.bincount(owner[next_tile[place] >= stop[owner]], minlength=len(first))


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
