"""Counts, sums and extremes of each key in each window."""

import numpy as np

from transforms.stream.state.grouped import Grouped
from transforms.stream.state.growing import Growing
from transforms.stream.state.hop_tiles import ByHop, find_sorted

INT = np.iinfo(np.int64)


class Sums:
    """Integers that are added when events arrive and subtracted when their hop leaves the window.

    The windows of a key lie side by side, so an event changes all of them at once.

    Args:
        hops: hop of each window, microseconds; 0 for a window that never ends.
        sums: number of parts that are summed.
        minima: number of further parts of which the minimum is kept.
        maxima: number of further parts of which the maximum is kept.
    """

    def __init__(self, hops: list[int], sums: int, minima: int = 0, maxima: int = 0) -> None:
        self._sums_stop, self._minima_stop = sums, sums + minima
        self.neutral_row = np.array([0] * sums + [INT.max] * minima + [INT.min] * maxima)
        self._tiles = ByHop(hops, self)
        self._now = Growing(np.int64, self.neutral_row, tail=(len(hops), len(self.neutral_row)))

    def reduce_by_index(self, index: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reduces rows of the same index to one: (m,) indices, sorted, without repeats, and (m, parts) rows."""
        groups = Grouped.by(index)
        return groups.index, self.reduce_groups(groups, rows)

    def reduce_groups(self, groups: Grouped, rows: np.ndarray) -> np.ndarray:
        """(m, parts) one row for each group of (n, parts) rows."""
        if self._sums_stop == rows.shape[1]:
            return groups.sums(rows)
        rows = rows[groups.order]
        out = np.empty((len(groups.index), rows.shape[1]), np.int64)
        for function, parts in (
            (np.add, slice(self._sums_stop)),
            (np.minimum, slice(self._sums_stop, self._minima_stop)),
            (np.maximum, slice(self._minima_stop, None)),
        ):
            if out[:, parts].shape[1]:
                function.reduceat(rows[:, parts], groups.first, axis=0, out=out[:, parts])
        return out

    def add(self, at: int, index: np.ndarray, rows: np.ndarray, starts: np.ndarray) -> None:
        """Adds the rows of one hop.

        Args:
            at: a moment within the hop, microseconds.
            index: (n,) indices of the keys, without repeats.
            rows: (n, parts) numbers to add.
            starts: (windows,) first moments of the windows.
        """
        if len(index):
            now, inside = self.all(int(index.max()) + 1), at >= starts
            if inside.all():
                now[index] = self.combine(now[index], rows[:, None])
            else:
                cells = index[:, None], np.flatnonzero(inside)
                now[cells] = self.combine(now[cells], rows[:, None])
        self._tiles.put(at, index, rows)

    def combine(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(…, parts) the sums, minima and maxima of two arrays of rows."""
        if self._sums_stop == left.shape[-1]:
            return left + right
        out = np.empty_like(left)
        np.add(left[..., : self._sums_stop], right[..., : self._sums_stop], out=out[..., : self._sums_stop])
        minima, maxima = slice(self._sums_stop, self._minima_stop), slice(self._minima_stop, None)
        np.minimum(left[..., minima], right[..., minima], out=out[..., minima])
        np.maximum(left[..., maxima], right[..., maxima], out=out[..., maxima])
        return out

    def leave(self, window: int, since: float, start: float) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Removes the tiles that start from ``since`` up to ``start`` from a window.

        Returns:
            Start, index and rows of each removed tile.
        """
        tiles = list(self._tiles.of_window(window).between(since, start))
        stale_extremes = []
        for _, index, rows in tiles:
            now = self.all(int(index[-1]) + 1)[:, window]
            now[index, : self._sums_stop] -= rows[:, : self._sums_stop]
            if self._sums_stop < rows.shape[1]:
                stale_extremes.append(index[(now[index, self._sums_stop :] == rows[:, self._sums_stop :]).any(axis=1)])
        if stale_extremes:
            self._recompute_extremes(window, np.unique(np.concatenate(stale_extremes)), start)
        return tiles

    def _recompute_extremes(self, window: int, index: np.ndarray, start: float) -> None:
        now = self.all(int(index[-1]) + 1 if len(index) else 0)[:, window]
        totals = np.tile(self.neutral_row, (len(index), 1))
        for _, tile_index, rows in self._tiles.of_window(window).between(start, np.inf):
            position, is_match = find_sorted(tile_index, index)
            totals[is_match] = self.combine(totals[is_match], rows[position[is_match]])
        now[index, self._sums_stop :] = totals[:, self._sums_stop :]

    def drop(self, starts: np.ndarray) -> None:
        """Drops tiles that no window contains any more."""
        self._tiles.drop(starts)

    def read(self, index: np.ndarray) -> np.ndarray:
        """(n, windows, parts) the current rows of a sorted index."""
        return self._now.upto(index)[index]

    def all(self, length: int) -> np.ndarray:
        """(length, windows, parts) the current rows of the first ``length`` indices."""
        return self._now.values(length)
