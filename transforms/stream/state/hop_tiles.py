"""What has come within each hop, so that it can be taken away when it leaves a window."""

from collections.abc import Callable, Iterator

import numpy as np

MERGE = 32
"""Pieces of one tile that are put together."""

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

    def put(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Add to the tile that holds a moment; the index is sorted and without repeats."""
        pieces = self._pieces.setdefault(at - at % self.hop, [])
        pieces.append((index, rows))
        if len(pieces) >= MERGE:
            pieces[:] = [self._merged(pieces)]

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
            del self._pieces[at]

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

    def put(self, at: int, index: np.ndarray, rows: np.ndarray, starts: list[float]) -> None:
        """Keep what windows that begin at ``starts`` will have to give back."""
        for hop, tiles in self._tiles.items():
            if at >= self._oldest(hop, starts):
                tiles.put(at, index, rows)

    def of(self, window: int) -> HopTiles:
        """The tiles of a window that ends."""
        return self._tiles[self._of_window[window]]

    def drop(self, starts: list[float]) -> None:
        """Forget what no window holds any more."""
        for hop, tiles in self._tiles.items():
            tiles.drop(self._oldest(hop, starts))

    def _oldest(self, hop: int, starts: list[float]) -> float:
        return min(start for start, mine in zip(starts, self._of_window, strict=True) if mine == hop)


def looked_up(index: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of each wanted one in a sorted index, and whether it is there."""
    place = np.minimum(np.searchsorted(index, wanted), max(len(index) - 1, 0))
    return place, (index[place] == wanted) if len(index) else np.zeros(len(wanted), bool)
