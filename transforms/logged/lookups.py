"""Logged online lookups as a table with one row per entity."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo import clock
from feature_repo.encryption import parquet_files
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, UnknownService, load_service
from feature_repo.stores.key_series import KEY_TYPES, key_series
from transforms import parquet
from transforms.feature_types import feature_type
from transforms.logged import lines
from transforms.raw.table import MICROSECONDS_UTC

EVENT = "event:"
"""Prefix of the columns with the event time of the served row; the name of the view follows."""


def served(home: Home, service: Service, since: datetime | None = None, most: int = 100_000) -> pl.DataFrame:
    """The newest logged lookups of a service.

    Args:
        home: the data folder.
        service: the feature service; lookups with another fingerprint are left out.
        since: earliest moment of the lookups; all if None.
        most: greatest number of rows.

    Returns:
        Join keys in their declared types, ``event_timestamp`` (the moment of the lookup), fields of the request,
        ``view__feature`` columns as they were served, and for each view ``event:view``, the event time of the served
        row. Maps, structs and nested lists are left out.

    Raises:
        StoreError: no lookups of the service were logged.
    """
    frames: list[pl.DataFrame] = []
    count = 0
    for day in lines.days(home.lookups(service.name)):
        if count >= most or (since is not None and day.name < f"date={since.date()}"):
            break
        frames += [_frame(service, _current_rows(lines.lines(day, home), service))]
        frames += [parquet.read_whole(file, remedy="") for file in _packed_files(day, service)]
        count = sum(frame.height for frame in frames)
    rows = pl.concat(frames) if frames else _frame(service, [])
    if since is not None:
        rows = rows.filter(pl.col("event_timestamp") >= since)
    if not rows.height:
        raise StoreError(
            expected=f"logged lookups of {service.name}, as it is now, in {home.lookups(service.name)}",
            found="none",
            next_command="REFRAIN_LOG_LOOKUPS=0.01 refrain serve",
        )
    return rows.sort("event_timestamp", descending=True, maintain_order=True).head(most)


def pack(home: Home) -> int:
    """Convert the logged lookups of every feature service to Parquet; returns the number of lookups.

    Lookups with an older fingerprint of a service, which no reader uses, are kept as JSON in a table of their own.
    """
    count = 0
    for folder in sorted(home.lookups("any").parent.glob("*")):
        try:
            service = load_service(home, folder.name)
        except UnknownService:
            continue

        def tables(entries: Sequence[dict[str, Any]], service: Service = service) -> dict[str, pl.DataFrame]:
            rows = _frame(service, _current_rows(entries, service))
            outdated = [json.dumps(entry) for entry in entries if entry.get("fingerprint") != service.fingerprint]
            frames = {service.fingerprint: rows, "json": pl.DataFrame({"line": outdated})}
            return {name: frame for name, frame in frames.items() if frame.height}

        count += lines.pack(folder, tables, home)
    return count


def _current_rows(entries: Iterable[dict[str, Any]], service: Service) -> list[dict[str, Any]]:
    """Rows of the entries that have the current fingerprint of the service."""
    return [row for entry in entries if entry.get("fingerprint") == service.fingerprint for row in _rows(entry)]


def _packed_files(day: Path, service: Service) -> list[Path]:
    return [file for file in lines.packed(day) if file.name.startswith(f"packed-{service.fingerprint}-")]


def _frame(service: Service, rows: list[dict[str, Any]]) -> pl.DataFrame:
    features = {name: feature_type(dtype) for name, dtype in service.features}
    schema = {
        **{key: KEY_TYPES[dtype] for key, dtype in service.key_types.items()},
        "event_timestamp": pl.Int64(),
        **{name: _request_type(dtype) for name, dtype in service.request_fields.items()},
        **{name: dtype for name, dtype in features.items() if dtype is not None},
        **{EVENT + view.name: pl.Int64() for view in service.views},
    }
    texts = {name: _json_type(dtype) for name, dtype in schema.items()}
    frame = pl.DataFrame(rows, schema=texts, orient="row", strict=False)
    keys = (key_series(frame[key], dtype, key) for key, dtype in service.key_types.items())
    values = (_from_json(name, schema[name]) for name in schema if name not in (*service.key_types, "event_timestamp"))
    return frame.with_columns(*keys, pl.col("event_timestamp").cast(MICROSECONDS_UTC), *values)


def _request_type(dtype: str) -> pl.DataType:
    return pl.String() if dtype == "String" else pl.Float64()


def _json_type(dtype: pl.DataType) -> pl.DataType:
    """Returns the type as which JSON holds a type: times and bytes are texts."""
    if isinstance(dtype, pl.List):
        return pl.List(_json_type(dtype.inner))  # type: ignore[arg-type]
    return pl.String() if dtype in (MICROSECONDS_UTC, pl.Binary) else dtype


def _from_json(name: str, dtype: pl.DataType) -> pl.Expr:
    """Returns an expression of a column in its own type, from its type in JSON."""
    if isinstance(dtype, pl.List):
        return pl.col(name).list.eval(_from_text(pl.element(), dtype.inner))  # type: ignore[arg-type]
    return _from_text(pl.col(name), dtype)


def _from_text(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == MICROSECONDS_UTC:
        return values.str.to_datetime(time_unit="us", time_zone="UTC")
    return values.str.decode("base64") if dtype == pl.Binary else values


def _rows(entry: dict[str, Any]) -> list[dict[str, Any]]:
    columns = {
        **entry["keys"],
        **entry["values"],
        **{EVENT + view: times for view, times in entry["events"].items()},
    }
    length = len(next(iter(entry["values"].values())))
    moment = {"event_timestamp": entry["at"], "request_timestamp": entry["at"] / 1e6, **entry["request"]}
    row_fields = {name: values for name, values in moment.items() if isinstance(values, list)}
    return [
        {**moment, **{name: values[index] for name, values in (columns | row_fields).items()}}
        for index in range(length)
    ]


def days_ago(days: float) -> datetime:
    """The moment a number of days before now."""
    return clock.now() - timedelta(days=days)


def trained_on(home: Home, service: Service) -> tuple[str | None, pl.DataFrame | None]:
    """Name and rows of the newest saved training set with the fingerprint of a service; None if there is none."""
    for folder in sorted(home.training_sets.glob("*/"), key=lambda path: -path.stat().st_mtime):
        manifest_file = folder / "manifest.json"
        if not manifest_file.is_file():
            continue
        manifest = json.loads(manifest_file.read_text())
        if manifest["feature_service"] == service.name and manifest["fingerprint"] == service.fingerprint:
            return folder.name, parquet_files.read(folder / "data.parquet")
    return None, None
