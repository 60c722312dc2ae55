"""The newest values of a window, newest first, equals in time in the order of their letters."""

import numpy as np

from feature_repo.windows import Window
from transforms.batch.windows.items import Items, Rows, begins, blocks, expanded, in_order
from transforms.batch.windows.lists import Lists, first_of_each
from transforms.batch.windows.top_k import BLOCK


def last_n(items: Items, rows: Rows, window: Window, n: int) -> Lists:
    """Values and times of each row, repeats included; items are sorted by time and, from z to a, by value."""
    first, stop = rows.ranges(items, window)
    first = np.maximum(first, stop - n)
    pieces = []
    for some in blocks(first, stop, BLOCK):
        place, owner = expanded(first[some], stop[some])
        place = (first[some] + stop[some] - 1)[owner] - place  # newest first
        length = stop[some] - first[some]
        pieces.append(Lists(length, items.columns["value"][place], items.columns["last"][place]))
    return Lists.concat(pieces)


def last_n_distinct(items: Items, rows: Rows, window: Window, n: int) -> Lists:
    """Values and times of each row, each value once, where it was last."""
    first, stop = rows.ranges(items, window)
    again = _again(items)
    return Lists.concat([_distinct(items, again, first[some], stop[some], n) for some in blocks(first, stop, BLOCK)])


def _again(items: Items) -> np.ndarray:
    """(n,) place of the next tile of the same key and value; the number of tiles if there is none."""
    value = items.columns["value"]
    *_, order = in_order(items.code, value, np.arange(len(items)))
    same = ~begins(items.code[order], value[order])[1:]
    out = np.full(len(items), len(items))
    out[order[:-1][same]] = order[1:][same]
    return out


def _distinct(items: Items, again: np.ndarray, first: np.ndarray, stop: np.ndarray, n: int) -> Lists:
    place, owner = expanded(first, stop)
    newest = again[place] >= stop[owner]
    place, owner = place[newest], owner[newest]
    value, last = items.columns["value"][place], items.columns["last"][place]
    newest_time = last.max(initial=0)
    owner, ago, value = in_order(owner, newest_time - last, value)
    return first_of_each(owner, (value, newest_time - ago), len(first), n)
