"""Bring feature values online with Feast's own materialize."""

from collections.abc import Callable
from datetime import UTC, datetime

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home

BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """An ISO 8601 time; without a zone it is UTC.

    Raises:
        InputError: it is not one.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            expected="a time such as 2026-03-02T00:00:00",
            found=repr(text),
            next_command="python -m feature_repo materialize 2026-03-02T00:00:00",
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def newest_feature(home: Home) -> datetime:
    """Event time of the newest feature row of any view.

    Raises:
        StoreError: there are no feature tables.
    """
    import duckdb

    tables = str(home.features("*") / "**" / "*.parquet")
    try:
        query = "select max(event_timestamp) from read_parquet(?, union_by_name = true)"
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            newest = connection.execute(query, [tables]).fetchall()[0][0]
    except duckdb.IOException:
        newest = None
    if newest is None:
        raise StoreError(
            expected=f"feature tables in {home.root / 'features'}",
            found="none",
            next_command="python -m transforms build",
        )
    return newest.astimezone(UTC)


def materialize(home: Home, until: datetime | None, *, say: Callable[[str], None]) -> datetime:
    """Write the newest value at or before ``until`` of every feature into the online store.

    Args:
        home: the data folder.
        until: moment of the values; the newest feature row's if None.
        say: told the result.

    Returns:
        The moment of the values.
    """
    from feature_repo.store import open_store

    until = until or newest_feature(home)
    store = open_store(home)
    store.materialize(start_date=BEGINNING, end_date=until)
    say(f"online as of {until:%Y-%m-%d %H:%M:%S} UTC: {len(store.list_batch_feature_views())} views")
    return until
