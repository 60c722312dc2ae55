"""What a feature's value is at a moment: loops, no tricks. Every engine is compared with this."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Row = Mapping[str, Any]


def as_of(
    rows: Sequence[Row],
    key: Mapping[str, Any],
    moment: datetime,
    *,
    ttl: timedelta | None = None,
    as_known: bool = False,
) -> Row | None:
    """The newest row of a key at or before a moment; the newest created among rows of one time.

    Args:
        rows: with the key's columns, ``event_timestamp`` and ``created_timestamp``.
        key: column to value; a null value finds nothing.
        moment: of the question.
        ttl: rows older than this do not count; no limit if None.
        as_known: rows created after the moment do not count.
    """
    best = None
    for row in rows:
        if any(value is None or row[name] != value for name, value in key.items()):
            continue
        if row["event_timestamp"] > moment:
            continue
        if ttl is not None and row["event_timestamp"] < moment - ttl:
            continue
        if as_known and row["created_timestamp"] > moment:
            continue
        if best is None or _order(row) > _order(best):
            best = row
    return best


def _order(row: Row) -> tuple[datetime, datetime]:
    return row["event_timestamp"], row["created_timestamp"]
