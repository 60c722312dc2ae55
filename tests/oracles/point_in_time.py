"""What a feature's value is at a moment: loops, no tricks. Every engine is compared with this."""

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
    """The newest row of a key at or before a moment: newest event, then newest created, then last among the rows.

    Args:
        rows: in their order in the files, with the key's columns, ``event_timestamp`` and perhaps
            ``created_timestamp``, which is older than any time where it is null.
        key: column to value; a null value finds nothing.
        moment: of the question; null finds nothing. Times are datetimes, or all of them numbers of one unit.
        ttl: rows older than this do not count; no limit if None or zero.
        as_known: rows created after the moment do not count, nor do those of which nobody knows when.
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
