"""Counts, sums and extremes of each key in each window."""

import numpy as np

from transforms.stream.state.grouped import Grouped
from transforms.stream.state.growing import Growing
from transforms.stream.state.hop_tiles import ByHop, looked_up

INT = np.iinfo(np.int64)


class Sums:
    """Integers that are added when events come and taken away when their hop leaves.

    The windows of a key lie side by side, so that an event changes them all at once.

    Args:
        hops: of each window, 0 for one that never ends.
        sums: how many numbers of an event are added up.
        least: of how many more the smallest is kept.
        most: of how many more the largest is kept.
    """

    def __init__(self, hops: list[int], sums: int, least: int = 0, most: int = 0) -> None:
        self._cut, self._cut_most = sums, sums + least
        self.nothing = np.array([0] * sums + [INT.max] * least + [INT.min] * most)
        self._tiles = ByHop(hops, self)
        self._now = Growing(np.int64, self.nothing, tail=(len(hops), len(self.nothing)))

    def together(self, index: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the same index made one; (m,) sorted, without repeats, and (m, parts)."""
        grouped = Grouped.by(index)
        return grouped.index, self.one_each(grouped, rows)

    def one_each(self, grouped: Grouped, rows: np.ndarray) -> np.ndarray:
        """(m, parts) of (n, parts)."""
        if self._cut == rows.shape[1]:
            return grouped.added(rows)
        rows = rows[grouped.order]
        out = np.empty((len(grouped.index), rows.shape[1]), np.int64)
        for of, some in (
            (np.add, slice(self._cut)),
            (np.minimum, slice(self._cut, self._cut_most)),
            (np.maximum, slice(self._cut_most, None)),
        ):
            if out[:, some].shape[1]:
                of.reduceat(rows[:, some], grouped.first, axis=0, out=out[:, some])
        return out

    def add(self, at: int, index: np.ndarray, rows: np.ndarray, starts: np.ndarray) -> None:
        """What came within one hop.

        Args:
            at: a moment in it.
            index: (n,) without repeats.
            rows: (n, parts).
            starts: (windows,) first moment of each.
        """
        if len(index):
            now, inside = self.all(int(index.max()) + 1), at >= starts
            if inside.all():
                now[index] = self.joined(now[index], rows[:, None])
            else:
                some = index[:, None], np.flatnonzero(inside)
                now[some] = self.joined(now[some], rows[:, None])
        self._tiles.put(at, index, rows)

    def joined(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """(…, parts) of two rows each, one."""
        if self._cut == one.shape[-1]:
            return one + other
        out = np.empty_like(one)
        np.add(one[..., : self._cut], other[..., : self._cut], out=out[..., : self._cut])
        least, most = slice(self._cut, self._cut_most), slice(self._cut_most, None)
        np.minimum(one[..., least], other[..., least], out=out[..., least])
        np.maximum(one[..., most], other[..., most], out=out[..., most])
        return out

    def leave(self, window: int, since: float, start: float) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Take away what begins from ``since`` up to ``start``.

        Returns:
            For each tile its beginning, whose it was, and the numbers that were taken.
        """
        gone = list(self._tiles.of(window).between(since, start))
        doubtful = []
        for _, index, rows in gone:
            now = self.all(int(index[-1]) + 1)[:, window]
            now[index, : self._cut] -= rows[:, : self._cut]
            if self._cut < rows.shape[1]:
                doubtful.append(index[(now[index, self._cut :] == rows[:, self._cut :]).any(axis=1)])
        if doubtful:
            self._find_extremes(window, np.unique(np.concatenate(doubtful)), start)
        return gone

    def _find_extremes(self, window: int, index: np.ndarray, start: float) -> None:
        now = self.all(int(index[-1]) + 1 if len(index) else 0)[:, window]
        found = np.tile(self.nothing, (len(index), 1))
        for _, mine, rows in self._tiles.of(window).between(start, np.inf):
            place, there = looked_up(mine, index)
            found[there] = self.joined(found[there], rows[place[there]])
        now[index, self._cut :] = found[:, self._cut :]

    def drop(self, starts: np.ndarray) -> None:
        """Forget what no window holds any more."""
        self._tiles.drop(starts)

    def read(self, index: np.ndarray) -> np.ndarray:
        """(n, windows, parts) of some indices, sorted."""
        return self._now.upto(index)[index]

    def all(self, length: int) -> np.ndarray:
        """(length, windows, parts) of the first indices."""
        return self._now.values(length)
