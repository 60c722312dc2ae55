"""Logged online lookups as a table: one row an entity."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo import clock
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, UnknownService, load_service
from feature_repo.on_demand import REQUEST_FIELDS
from transforms import parquet
from transforms.feature_tables import TYPES
from transforms.logged import lines
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
    frames: list[pl.DataFrame] = []
    count = 0
    for day in lines.days(home.lookups(service.name)):
        if count >= most or (since is not None and day.name < f"date={since.date()}"):
            break
        frames += [_frame(service, _of_service(lines.lines(day), service))]
        frames += [parquet.read_whole(file, remedy="") for file in _packed(day, service)]
        count = sum(frame.height for frame in frames)
    rows = pl.concat(frames) if frames else _frame(service, [])
    if since is not None:
        rows = rows.filter(pl.col("event_timestamp") >= since)
    if not rows.height:
        raise StoreError(
            expected=f"logged lookups of {service.name}, as it is now, in {home.lookups(service.name)}",
            found="none",
            next_command="REFRAIN_LOG_LOOKUPS=0.01 python -m inference serve",
        )
    return rows.sort("event_timestamp", descending=True, maintain_order=True).head(most)


def pack(home: Home) -> int:
    """Make Parquet of the lookups of every service as it is now; returns how many lookups.

    Lookups of an older form of a service, which no reader takes, are kept as the JSON that they were.
    """
    count = 0
    for folder in sorted(home.lookups("any").parent.glob("*")):
        try:
            service = load_service(home, folder.name)
        except UnknownService:
            continue

        def tables(told: Sequence[dict[str, Any]], service: Service = service) -> dict[str, pl.DataFrame]:
            rows = _frame(service, _of_service(told, service))
            others = [json.dumps(line) for line in told if line.get("fingerprint") != service.fingerprint]
            found = {service.fingerprint: rows, "json": pl.DataFrame({"line": others})}
            return {name: frame for name, frame in found.items() if frame.height}

        count += lines.pack(folder, tables)
    return count


def _of_service(told: Iterable[dict[str, Any]], service: Service) -> list[dict[str, Any]]:
    """Rows of the lines that fit the service as it is now."""
    return [row for line in told if line.get("fingerprint") == service.fingerprint for row in _rows(line)]


def _packed(day: Path, service: Service) -> list[Path]:
    return [file for file in lines.packed(day) if file.name.startswith(f"packed-{service.fingerprint}-")]


def _frame(service: Service, rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {
        **{key: pl.String() for key in service.join_keys},
        "event_timestamp": pl.Int64(),
        **{name: _request_type(name) for name in service.request_fields},
        **{name: TYPES[dtype] for name, dtype in service.features},
        **{EVENT + view.name: pl.Int64() for view in service.views},
    }
    frame = pl.DataFrame(rows, schema=_as_json(schema), orient="row", strict=False)
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
    return clock.now() - timedelta(days=days)


def trained_on(home: Home, service: Service) -> tuple[str | None, pl.DataFrame | None]:
    """Name and rows of the newest saved training set of a service; None where there is none of its form."""
    for folder in sorted(home.training_sets.glob("*/"), key=lambda path: -path.stat().st_mtime):
        manifest = folder / "manifest.json"
        if not manifest.is_file():
            continue
        told = json.loads(manifest.read_text())
        if told["feature_service"] == service.name and told["fingerprint"] == service.fingerprint:
            return folder.name, pl.read_parquet(folder / "data.parquet", glob=False)
    return None, None
