"""The value of a feature at a moment, by plain loops. The tests compare every engine with this module."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Row = Mapping[str, Any]


def as_of(
    rows: Sequence[Row],
    key: Mapping[str, Any],
    moment: datetime | int | None,
    *,
    ttl: timedelta | int | None = None,
    as_known: bool = False,
) -> Row | None:
    """Returns the newest row of a key at or before a moment: by event time, created time, then position.

    Args:
        rows: rows in file order, with the key's columns, ``event_timestamp`` and optionally ``created_timestamp``.
            A null created time sorts before all others.
        key: column to value; a null value matches no row.
        moment: moment of the lookup; null matches no row. Times are datetimes, or all of them numbers of one unit.
        ttl: rows older than this do not count; no limit if None or zero.
        as_known: rows created after the moment, or with a null created time, do not count.
    """
    best = None
    for row in rows:
        if any(value is None or row[name] != value for name, value in key.items()):
            continue
        if moment is None or row["event_timestamp"] > moment:
            continue
        if ttl and row["event_timestamp"] < moment - ttl:
            continue
        if as_known and "created_timestamp" in row:
            created = row["created_timestamp"]
            if created is None or created > moment:
                continue
        if best is None or _order(row) >= _order(best):
            best = row
    return best


def _order(row: Row) -> tuple:
    created = row.get("created_timestamp")
    return row["event_timestamp"], created is not None, row["event_timestamp"] if created is None else created
