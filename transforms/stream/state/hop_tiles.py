"""What has come within each hop, so that it can be taken away when it leaves a window."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from transforms.stream.state.growing import Growing

MERGE = 32
"""Pieces of one tile that are put together."""


class Adding(Protocol):
    """How rows of the same index are added up."""

    nothing: np.ndarray
    """(parts,) which changes no row."""

    def joined(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """(…, parts) of two rows each, one."""
        ...

    def together(self, index: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) in any order and (n, parts) → (m,) sorted, without repeats, and (m, parts)."""
        ...


class HopTiles:
    """Tiles of one width. A tile is named by its beginning in microseconds.

    The newest one is open: its rows lie in an array by index, so that what comes is added where it belongs. When a
    newer one opens, it is closed, and handed on to the wider tiles that are made of such. What comes for one that is
    closed is kept beside it.

    Args:
        hop: width.
        adding: how rows are added up.
        wider: made of these tiles.
    """

    def __init__(self, hop: int, adding: Adding, wider: "Sequence[HopTiles]" = ()) -> None:
        self.hop, self._adding, self._wider = hop, adding, wider
        self._made_of: HopTiles | None = None
        for tiles in wider:
            tiles._made_of = self
        self._closed: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._open: int | None = None
        self._rows = Growing(np.int64, adding.nothing, tail=adding.nothing.shape)
        self._there, self._top = Growing(np.bool_, False), 0
        self._oldest = -np.inf  # what begins before is not asked for

    def put(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Add to the tile that holds a moment; the index is without repeats."""
        if not len(index):
            return
        at -= at % self.hop
        if self._open is None or at > self._open:
            self._close()
            self._open = at
        if at == self._open:
            top = int(index.max()) + 1
            held = self._rows.values(top)
            held[index] = self._adding.joined(held[index], rows)
            self._there.values(top)[index] = True
            self._top = max(self._top, top)
        else:
            self._keep(at, *self._adding.together(index, rows))

    def between(self, first: float, stop: float) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Beginning, index (sorted) and rows of the tiles that begin in a span, oldest first."""
        self._settle(stop)
        for at in sorted(at for at in self._closed if first <= at < stop):
            pieces = self._closed[at]
            if len(pieces) > 1:
                pieces[:] = [self._merged(pieces)]
            yield at, *pieces[0]

    def drop(self, before: float) -> None:
        """Forget what begins before a moment, and what comes of that time from now on."""
        self._oldest = before
        for at in [at for at in self._closed if at < before]:
            del self._closed[at]

    def _settle(self, stop: float) -> None:
        """Close what begins before a moment, after what it is made of."""
        if self._made_of is not None:
            self._made_of._settle(stop if stop == np.inf else stop + -stop % self.hop)
        if self._open is not None and self._open < stop:
            self._close()

    def _close(self) -> None:
        if self._open is None:
            return
        there, held = self._there.values(self._top), self._rows.values(self._top)
        index = np.flatnonzero(there)
        rows, at = held[index], self._open
        there[index], held[index] = False, self._adding.nothing
        self._open, self._top = None, 0
        self._keep(at, index, rows)

    def _keep(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """A piece of a closed tile, sorted."""
        if at >= self._oldest:
            pieces = self._closed.setdefault(at, [])
            pieces.append((index, rows))
            if len(pieces) >= MERGE:
                pieces[:] = [self._merged(pieces)]
        for tiles in self._wider:
            tiles.put(at, index, rows)

    def _merged(self, pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        return self._adding.together(
            np.concatenate([index for index, _ in pieces]), np.concatenate([rows for _, rows in pieces])
        )


class ByHop:
    """Tiles of each width that a table's windows move by.

    Args:
        hops: of each window in turn, 0 for one that never ends.
        adding: how rows are added up.
    """

    def __init__(self, hops: list[int], adding: Adding) -> None:
        self._of_window = hops
        self._tiles: dict[int, HopTiles] = {}
        widths = sorted({hop for hop in hops if hop}, reverse=True)
        made_of = {hop: max((one for one in widths if one < hop and not hop % one), default=0) for hop in widths}
        for hop in widths:
            wider = [self._tiles[one] for one in widths if made_of[one] == hop]
            self._tiles[hop] = HopTiles(hop, adding, wider)
        self._narrowest = [self._tiles[hop] for hop in widths if not made_of[hop]]
        self._windows = {hop: [window for window, mine in enumerate(hops) if mine == hop] for hop in widths}

    def put(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Keep what windows will have to give back."""
        for tiles in self._narrowest:
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
