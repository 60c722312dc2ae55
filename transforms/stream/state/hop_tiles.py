"""Sums of each hop, kept so that they can be subtracted when the hop leaves a window."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from transforms.stream.state.growing import Growing

MERGE = 32
"""Pieces of one closed tile after which they are merged into one."""


class Reduction(Protocol):
    """How rows of the same index are reduced to one row."""

    neutral_row: np.ndarray
    """(parts,) the row that changes no other row when combined with it."""

    def combine(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(…, parts) the pairwise reduction of two arrays of rows."""
        ...

    def reduce_by_index(self, index: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reduces (n, parts) rows with (n,) indices in any order.

        Returns:
            (m,) indices, sorted, without repeats, and (m, parts) one row for each.
        """
        ...


class HopTiles:
    """Tiles of one width. A tile is identified by its start in microseconds.

    The newest tile is open: its rows lie in an array by index, so additions are combined in place. When a newer tile
    opens, the previous one is closed and passed on to the wider tiles that are composed of such tiles. Additions to a
    closed tile are kept as further pieces of it.

    Args:
        hop: width of the tiles, microseconds.
        reduction: how rows are combined.
        wider: the wider tiles that are composed of these tiles.
    """

    def __init__(self, hop: int, reduction: Reduction, wider: "Sequence[HopTiles]" = ()) -> None:
        self.hop, self._reduction, self._wider = hop, reduction, wider
        self._narrower: HopTiles | None = None
        for tiles in wider:
            tiles._narrower = self
        self._closed: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._open: int | None = None
        self._rows = Growing(np.int64, reduction.neutral_row, tail=reduction.neutral_row.shape)
        self._present, self._top = Growing(np.bool_, False), 0
        self._oldest = -np.inf  # start of the oldest tile that is kept

    def put(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Adds rows to the tile that contains a moment; the index has no repeats."""
        if not len(index):
            return
        at -= at % self.hop
        if self._open is None or at > self._open:
            self._close()
            self._open = at
        if at == self._open:
            top = int(index.max()) + 1
            tile_rows = self._rows.values(top)
            tile_rows[index] = self._reduction.combine(tile_rows[index], rows)
            self._present.values(top)[index] = True
            self._top = max(self._top, top)
        else:
            self._keep(at, *self._reduction.reduce_by_index(index, rows))

    def between(self, first: float, stop: float) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Start, index (sorted) and rows of the tiles that start from ``first`` up to ``stop``, oldest first."""
        self._close_before(stop)
        for at in sorted(at for at in self._closed if first <= at < stop):
            pieces = self._closed[at]
            if len(pieces) > 1:
                pieces[:] = [self._merged(pieces)]
            yield at, *pieces[0]

    def drop(self, before: float) -> None:
        """Drops tiles that start before a moment, and from now on ignores additions to them."""
        self._oldest = before
        for at in [at for at in self._closed if at < before]:
            del self._closed[at]

    def _close_before(self, stop: float) -> None:
        """Closes the tile that starts before a moment, after the narrower tiles that it is composed of."""
        if self._narrower is not None:
            self._narrower._close_before(stop if stop == np.inf else stop + -stop % self.hop)
        if self._open is not None and self._open < stop:
            self._close()

    def _close(self) -> None:
        if self._open is None:
            return
        present, tile_rows = self._present.values(self._top), self._rows.values(self._top)
        index = np.flatnonzero(present)
        rows, at = tile_rows[index], self._open
        present[index], tile_rows[index] = False, self._reduction.neutral_row
        self._open, self._top = None, 0
        self._keep(at, index, rows)

    def _keep(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Keeps a sorted piece of a closed tile, and passes it on to the wider tiles."""
        if at >= self._oldest:
            pieces = self._closed.setdefault(at, [])
            pieces.append((index, rows))
            if len(pieces) >= MERGE:
                pieces[:] = [self._merged(pieces)]
        for tiles in self._wider:
            tiles.put(at, index, rows)

    def _merged(self, pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        return self._reduction.reduce_by_index(
            np.concatenate([index for index, _ in pieces]), np.concatenate([rows for _, rows in pieces])
        )


class ByHop:
    """Tiles of every hop that a table's windows move by.

    Args:
        hops: hop of each window, microseconds; 0 for a window that never ends.
        reduction: how rows are combined.
    """

    def __init__(self, hops: list[int], reduction: Reduction) -> None:
        self._window_hops = hops
        self._tiles: dict[int, HopTiles] = {}
        widths = sorted({hop for hop in hops if hop}, reverse=True)
        narrower = {
            hop: max((width for width in widths if width < hop and not hop % width), default=0) for hop in widths
        }
        for hop in widths:
            wider = [self._tiles[width] for width in widths if narrower[width] == hop]
            self._tiles[hop] = HopTiles(hop, reduction, wider)
        self._narrowest = [self._tiles[hop] for hop in widths if not narrower[hop]]
        self._windows = {hop: [window for window, window_hop in enumerate(hops) if window_hop == hop] for hop in widths}

    def put(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Adds rows to the tiles of every width, from which windows subtract them later."""
        for tiles in self._narrowest:
            tiles.put(at, index, rows)

    def of_window(self, window: int) -> HopTiles:
        """The tiles of a window, which must be one that ends."""
        return self._tiles[self._window_hops[window]]

    def drop(self, starts: np.ndarray) -> None:
        """Drops tiles that no window contains any more; ``starts`` are the first moments of the windows."""
        for hop, tiles in self._tiles.items():
            tiles.drop(starts[self._windows[hop]].min())


def find_sorted(index: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the position of each query in a sorted index, and whether the index contains it."""
    position = np.minimum(np.searchsorted(index, queries), max(len(index) - 1, 0))
    return position, (index[position] == queries) if len(index) else np.zeros(len(queries), bool)
