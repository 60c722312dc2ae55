"""Logged online lookups as a table: one row an entity."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service
from feature_repo.on_demand import REQUEST_FIELDS
from transforms.feature_tables import TYPES
from transforms.raw.table import MICROSECONDS_UTC

EVENT = "event:"
"""Before the name of a view: the column with the time of the row that answered."""


def served(home: Home, service: Service, since: datetime | None = None, most: int = 100_000) -> pl.DataFrame:
    """The newest logged lookups of a service.

    Args:
        home: the data folder.
        service: as it is now; lookups of an older form of it are left out.
        since: only from then on.
        most: rows at the most.

    Returns:
        Join keys, ``event_timestamp`` (the moment of the lookup), fields of the request, ``view__feature`` columns
        as they were served, and for each view ``event:view``, the time of the row that answered.

    Raises:
        StoreError: nothing was logged.
    """
    rows: list[dict[str, Any]] = []
    for line in _newest_first(home, service):
        if line["fingerprint"] != service.fingerprint:
            continue
        if since is not None and line["at"] < since.timestamp() * 1e6:
            break
        rows += _rows(line)
        if len(rows) >= most:
            break
    if not rows:
        raise StoreError(
            expected=f"logged lookups of {service.name}, as it is now, in {home.lookups(service.name)}",
            found="none",
            next_command="REFRAIN_LOG_LOOKUPS=0.01 python -m inference serve",
        )
    schema = {
        **{key: pl.String() for key in service.join_keys},
        "event_timestamp": pl.Int64(),
        **{name: _request_type(name) for name in service.request_fields},
        **{name: TYPES[dtype] for name, dtype in service.features},
        **{EVENT + view.name: pl.Int64() for view in service.views},
    }
    frame = pl.DataFrame(rows[:most], schema=_as_json(schema), orient="row", strict=False)
    times = [name for name, dtype in schema.items() if dtype == MICROSECONDS_UTC]
    return frame.with_columns(
        pl.col("event_timestamp").cast(MICROSECONDS_UTC),
        *(pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC") for name in times),
    ).cast({name: dtype for name, dtype in schema.items() if name not in ("event_timestamp", *times)})


def _request_type(name: str) -> pl.DataType:
    return pl.String() if REQUEST_FIELDS[name] == "String" else pl.Float64()


def _as_json(schema: dict[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Times are texts in JSON; floats in lists have more digits there than they need."""
    return {name: pl.String() if dtype == MICROSECONDS_UTC else dtype for name, dtype in schema.items()}


def _newest_first(home: Home, service: Service) -> Iterator[dict[str, Any]]:
    for day in sorted(home.lookups(service.name).glob("date=*"), reverse=True):
        lines = [line for file in sorted(day.glob("*.jsonl")) for line in file.read_bytes().splitlines()]
        found = (_read(line) for line in lines)
        yield from sorted((line for line in found if line is not None), key=lambda line: -line["at"])


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:  # a process was killed while it wrote
        return None


def _rows(line: dict[str, Any]) -> list[dict[str, Any]]:
    columns = {
        **line["keys"],
        **line["values"],
        **{EVENT + view: times for view, times in line["events"].items()},
    }
    length = len(next(iter(line["values"].values())))
    moment = {"event_timestamp": line["at"], "request_timestamp": line["at"] / 1e6, **line["request"]}
    of_rows = {name: values for name, values in moment.items() if isinstance(values, list)}
    return [
        {**moment, **{name: values[place] for name, values in (columns | of_rows).items()}} for place in range(length)
    ]


def days_ago(days: float) -> datetime:
    """A moment so many days before now."""
    return datetime.now(UTC) - timedelta(days=days)
