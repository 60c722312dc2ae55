"""Service levels: how new the newest row is, how old the oldest, and how long nothing came."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from refrain.data_contract.result import Result, Subject


def check(subject: Subject) -> Iterator[Result]:
    """Yields the results of the service levels ``freshness``, ``retention`` and ``frequency``."""
    for level in subject.contract.levels:
        column = pl.col(level.column)
        ends = subject.rows.select(newest=column.max(), oldest=column.min()).collect(engine="streaming").row(0)
        newest, oldest = (_utc(moment) for moment in ends)
        if newest is None or oldest is None:
            is_fine = level.property == "retention"
            yield subject.result(level.property, level.column, is_fine, "there are no rows")
        elif level.property == "freshness":
            age = subject.now - newest
            summary = f"the newest is at most {_words(level.limit)} old: it is {_words(age)} old"
            yield subject.result("freshness", level.column, age <= level.limit, summary)
        elif level.property == "retention":
            rows = _older(subject, level.column, subject.now - level.limit)
            summary = f"none is older than {_words(level.limit)}: {rows:,} rows are, the oldest of {oldest:%Y-%m-%d}"
            yield subject.result("retention", level.column, not rows, summary, rows)
        else:
            times = subject.rows.select(column.sort().diff().max()).collect(engine="streaming")
            longest = times.item() or timedelta(0)
            summary = f"at least one every {_words(level.limit)}: none came for {_words(longest)}"
            yield subject.result("frequency", level.column, longest <= level.limit, summary)


def _older(subject: Subject, column: str, than: datetime) -> int:
    return int(subject.rows.select((pl.col(column) < than).sum()).collect(engine="streaming").item() or 0)


def _utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _words(length: timedelta) -> str:
    """A time in its largest fitting unit.

    >>> _words(timedelta(hours=36)), _words(timedelta(seconds=5))
    ('1.5 d', '5 s')
    """
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= size:
            return f"{seconds / size:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
