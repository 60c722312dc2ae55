"""What has come within each hop, so that it can be taken away when it leaves a window."""

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

MERGE = 32
"""New pieces of one tile that are put together."""

_TURNS = count(step=5)
"""Tiles that began together are not put together at the same time, for nothing else is done meanwhile."""

Together = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Makes rows of the same index one: (n,) in any order and (n, parts) → (m,) sorted, without repeats, and (m, parts)."""


class HopTiles:
    """Tiles of one width. A tile is named by its beginning in microseconds.

    Args:
        hop: width.
        together: how pieces are added.
    """

    def __init__(self, hop: int, together: Together) -> None:
        self.hop, self._together = hop, together
        self._pieces: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._fresh: dict[int, int] = {}
        self._turn = next(_TURNS) % MERGE

    def put(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Add to the tile that holds a moment; the index is sorted and without repeats."""
        at -= at % self.hop
        pieces = self._pieces.setdefault(at, [])
        pieces.append((index, rows))
        fresh = self._fresh.get(at, self._turn) + 1
        self._fresh[at] = fresh % MERGE
        if fresh < MERGE:
            return
        # with those before that are not much larger, so that a row is put together a few times, however many come
        start = max(len(pieces) - MERGE, 0)
        size = sum(len(index) for index, _ in pieces[start:])
        while start and len(pieces[start - 1][0]) < 2 * size:
            start -= 1
            size += len(pieces[start][0])
        pieces[start:] = [self._merged(pieces[start:])]

    def between(self, first: float, stop: float) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Beginning, index (sorted) and rows of the tiles that begin in a span, oldest first."""
        for at in sorted(at for at in self._pieces if first <= at < stop):
            pieces = self._pieces[at]
            if len(pieces) > 1:
                pieces[:] = [self._merged(pieces)]
            yield at, *pieces[0]

    def drop(self, before: float) -> None:
        """Forget what begins before a moment."""
        for at in [at for at in self._pieces if at < before]:
            del self._pieces[at], self._fresh[at]

    def _merged(self, pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        return self._together(
            np.concatenate([index for index, _ in pieces]), np.concatenate([rows for _, rows in pieces])
        )


class ByHop:
    """Tiles of each width that a table's windows move by.

    Args:
        hops: of each window in turn, 0 for one that never ends.
        together: how pieces are added.
    """

    def __init__(self, hops: list[int], together: Together) -> None:
        self._of_window = hops
        self._tiles = {hop: HopTiles(hop, together) for hop in sorted({hop for hop in hops if hop})}
        self._windows = {hop: [window for window, mine in enumerate(hops) if mine == hop] for hop in self._tiles}

    def put(self, at: int, index: np.ndarray, rows: np.ndarray, starts: np.ndarray) -> None:
        """Keep what windows that begin at ``starts`` will have to give back."""
        for hop, tiles in self._tiles.items():
            if at >= starts[self._windows[hop]].min():
                tiles.put(at, index, rows)

    def of(self, window: int) -> HopTiles:
        """The tiles of a window that ends."""
        return self._tiles[self._of_window[window]]

    def drop(self, starts: np.ndarray) -> None:
        """Forget what no window holds any more."""
        for hop, tiles in self._tiles.items():
            tiles.drop(starts[self._windows[hop]].min())


def looked_up(index: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of each wanted one in a sorted index, and whether it is there."""
    place = np.minimum(np.searchsorted(index, wanted), max(len(index) - 1, 0))
    return place, (index[place] == wanted) if len(index) else np.zeros(len(wanted), bool)
