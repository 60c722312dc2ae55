"""How often equal records of one file occurred before, so that each has an identity of its own.

The identity of a record is its time, its content and this number: not the name of its file, which changes when logs
rotate. So a file is read again under another name without new rows. Only the block before is remembered, which is
enough for logs: equal records have equal times.
"""

from datetime import datetime

import polars as pl


class Occurrences:
    """Counts of equal records of one file.

    Args:
        columns: what is equal; ``event_timestamp`` is among it.
        earlier: counts of the file before it in a rotation. A second that is divided by the rotation is counted on.

    >>> counted = Occurrences(["event_timestamp", "text"])
    >>> second = datetime(2024, 3, 1)
    >>> first = counted.number(pl.DataFrame({"event_timestamp": second, "text": ["a", "b", "a"]}))
    >>> again = counted.number(pl.DataFrame({"event_timestamp": second, "text": ["a"]}))
    >>> first.to_list(), again.to_list()
    ([0, 0, 1], [2])
    """

    def __init__(self, columns: list[str], earlier: "Occurrences | None" = None) -> None:
        self._columns, self._earlier = columns, earlier
        self._before: pl.DataFrame | None = None
        self._latest: datetime | None = None

    def number(self, rows: pl.DataFrame) -> pl.Series:
        """(rows,) number of equal rows before each one, in this block and the one before."""
        times = rows["event_timestamp"]
        if self._before is None and self._earlier and self._earlier.is_before(times.min()):
            self._before = self._earlier._before
        self._latest = times.max()  # type: ignore[assignment]
        # equal rows share a hash, so that numbers are compared and not texts; it is stored nowhere
        keys = rows.select(key=pl.struct(self._columns).hash()).with_row_index("row")
        repeated = keys.filter(pl.col("key").is_duplicated()).select("row", again=pl.int_range(pl.len()).over("key"))
        numbered = keys.join(repeated, on="row", how="left", maintain_order="left")
        numbers = numbered.select("key", number=pl.col("again").fill_null(0))
        if self._before is not None:
            numbers = numbers.join(self._before, on="key", how="left", maintain_order="left")
            numbers = numbers.select("key", number=pl.col("number") + pl.col("before").fill_null(0))
        self._before = numbers.group_by("key").agg(before=pl.col("number").max() + 1)
        return numbers["number"]

    def is_before(self, time: object) -> bool:
        """Whether the last block ended at or before a time; false where there was none."""
        return isinstance(time, datetime) and self._latest is not None and self._latest <= time
