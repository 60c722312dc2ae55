"""Rows of days that a run has read or written and will need again, in memory up to a number of rows.

A year of days is a year of files, and opening a small file costs more than its rows do. So a run that needs a day again
takes it from here. What exceeds the limit is forgotten, the oldest first; a large batch is not kept at all.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from threading import Lock

import polars as pl

KEPT_ROWS = 300_000
"""Most rows that one ``DayFrames`` keeps."""


class DayFrames:
    """The rows of some days of one table.

    >>> frames = DayFrames(most_rows=3)
    >>> frames.add({date(2026, 1, day): pl.DataFrame({"n": [day]}) for day in (1, 2)})
    >>> frames.add({date(2026, 1, 3): pl.DataFrame({"n": [3, 3]})})
    >>> {day.day: rows["n"].to_list() for day, rows in frames.get([date(2026, 1, 2), date(2026, 1, 3)]).items()}
    {3: [3, 3]}
    """

    def __init__(self, most_rows: int = KEPT_ROWS) -> None:
        self._most_rows = most_rows
        self._frames: dict[date, pl.DataFrame] = {}
        self._batches: list[tuple[list[date], int]] = []
        self._height = 0
        self._lock = Lock()

    def add(self, frames: Mapping[date, pl.DataFrame]) -> None:
        """Keep the rows of days, which may be parts of one larger frame, and therefore are forgotten together."""
        height = sum(frame.height for frame in frames.values())
        with self._lock:
            for day in frames:
                self._frames.pop(day, None)
            if height > self._most_rows:
                return
            self._frames |= frames
            self._batches.append((list(frames), height))
            self._height += height
            while self._height > self._most_rows:
                days, rows = self._batches.pop(0)
                self._height -= rows
                for day in days:
                    self._frames.pop(day, None)

    def get(self, days: Iterable[date]) -> dict[date, pl.DataFrame]:
        """Those of some days that are kept, and their rows."""
        with self._lock:
            return {day: self._frames[day] for day in days if day in self._frames}
