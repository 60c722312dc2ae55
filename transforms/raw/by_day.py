"""Rows of many days in one frame: the day of each row, and the rows of each day."""

from collections.abc import Iterator
from datetime import date
from itertools import accumulate

import polars as pl

DAY = "_day"
"""Column with the day of a row, by its event time in UTC."""


def with_day(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds the column ``DAY``, and sorts the rows by it."""
    return rows.with_columns(pl.col("event_timestamp").dt.date().alias(DAY)).sort(DAY)


def spans(rows: pl.DataFrame) -> dict[date, tuple[int, int]]:
    """Finds the rows of each day.

    Args:
        rows: rows sorted by ``DAY``.

    Returns:
        Day → number of its first row and number of its rows, oldest first.

    >>> from datetime import date
    >>> spans(pl.DataFrame({DAY: [date(2026, 1, 5), date(2026, 1, 5), date(2026, 1, 7)]}))
    {datetime.date(2026, 1, 5): (0, 2), datetime.date(2026, 1, 7): (2, 1)}
    """
    runs = rows[DAY].rle().struct.unnest()
    lengths = runs["len"].to_list()
    starts = accumulate(lengths, initial=0)
    return {day: (start, length) for day, start, length in zip(runs["value"], starts, lengths, strict=False)}


def by_day(rows: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    """Yields each day and its rows, without the column ``DAY``, by which the rows are sorted."""
    bare = rows.drop(DAY)
    return ((day, bare.slice(start, length)) for day, (start, length) in spans(rows).items())


def equal_days(rows: pl.DataFrame, others: pl.DataFrame) -> set[date]:
    """Finds the days whose rows are equal in two frames, in the same order; both are sorted by ``DAY``."""
    lengths, other_lengths = spans(rows), spans(others)
    days = [day for day, (_, length) in lengths.items() if other_lengths.get(day, (0, 0))[1] == length]
    if not days:
        return set()
    left, right = (frame.filter(pl.col(DAY).is_in(days)) for frame in (rows, others))
    differs = pl.Series(DAY, [False]).new_from_index(0, left.height)
    for name in left.columns:
        differs |= left[name].ne_missing(right[name])
    return set(days) - set(left[DAY].filter(differs).unique())
