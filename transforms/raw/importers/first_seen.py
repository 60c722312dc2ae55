"""Users, tracks and artists that a source names only within its plays: one row each, as of their first play."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.ingest import Batch

_LEAST_ROWS = 100_000


def first_seen(batches: Iterable[Batch], keys: Mapping[str, str]) -> Iterator[Batch]:
    """Hold back rows of entities to the end of a source, and keep the earliest of each.

    A source may tell its plays in any order, so the first play of a track is known only at the end. An import of
    earlier plays adds an earlier row later on; the one of before then says nothing new.

    Args:
        batches: batches of a source, with any number of rows of an entity: at least that of its first play.
        keys: table of entities → the column that identifies them.

    Yields:
        The batches of other tables, and at the end one batch for each table of entities. So it is when the source
        breaks off, too.

    >>> from datetime import date
    >>> days = [date(2026, 1, 9), date(2026, 1, 5), date(2026, 1, 2)]
    >>> rows = pl.DataFrame({"user_id": ["ann", "bob", "ann"], "event_timestamp": days})
    >>> [batch] = first_seen([Batch("users", rows)], {"users": "user_id"})
    >>> batch.rows.rows()
    [('ann', datetime.date(2026, 1, 2)), ('bob', datetime.date(2026, 1, 5))]
    """
    held: dict[str, _Earliest] = {}
    try:
        for batch in batches:
            if batch.table in keys:
                held.setdefault(batch.table, _Earliest(keys[batch.table])).add(batch)
            else:
                yield batch
    except InputError:
        yield from (earliest.batch() for earliest in held.values())
        raise
    yield from (earliest.batch() for earliest in held.values())


class _Earliest:
    """The earliest row of each key; memory grows with the number of keys."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._batches: list[Batch] = []
        self._limit = _LEAST_ROWS

    def add(self, batch: Batch) -> None:
        self._batches.append(batch)
        if sum(part.rows.height for part in self._batches) > self._limit:
            self._batches = [self.batch()]
            self._limit = max(_LEAST_ROWS, 2 * self._batches[0].rows.height)

    def batch(self) -> Batch:
        rows = pl.concat([batch.rows for batch in self._batches], how="diagonal")
        malformed = pl.concat([batch.malformed for batch in self._batches])
        moment = pl.col("event_timestamp")
        is_refused = moment.is_null() | (
            moment < pl.lit(datetime(1970, 1, 1, tzinfo=UTC)).cast(rows["event_timestamp"].dtype)
        )
        by_time = rows.sort([is_refused, moment, *rows.columns], nulls_last=True)
        earliest = by_time.unique(self._key, keep="first", maintain_order=True).sort(self._key, nulls_last=True)
        return replace(self._batches[-1], rows=earliest, malformed=malformed)
