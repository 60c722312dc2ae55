"""Logs with one row per line: answers (``predictions``) and exposures."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.home import Home
from transforms import parquet
from transforms.logged import lines
from transforms.raw.table import MICROSECONDS_UTC


def families(home: Home) -> list[str]:
    """Names of the model families that have logged answers, sorted."""
    return sorted(folder.name.removeprefix("family=") for folder in home.predictions.glob("family=*"))


def predictions(home: Home, family: str, since: datetime | None = None) -> pl.DataFrame:
    """Logged answers of one family, oldest first: ``at`` (UTC), ``model`` and the answer's fields; may be empty."""
    return _read(home.predictions / f"family={family}", home, since)


def exposures(home: Home) -> pl.DataFrame:
    """Logged exposures to variants: ``at``, ``user_id``, ``experiment``, ``variant``, ``chance``, ``answer_id``."""
    return _read(home.exposures, home, None)


def pack(home: Home) -> int:
    """Convert the JSON lines of answers and exposures to Parquet; returns the number of lines."""
    folders = [home.predictions / f"family={family}" for family in families(home)]
    return sum(lines.pack(folder, _tables, home) for folder in (*folders, home.exposures))


def _tables(entries: Sequence[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    return {"rows": _frame(entries)} if entries else {}


def _frame(entries: Sequence[dict[str, Any]]) -> pl.DataFrame:
    rows = pl.DataFrame(entries, infer_schema_length=None, strict=False)
    return rows.with_columns(pl.col("at").cast(MICROSECONDS_UTC))


def _read(folder: Path, home: Home, since: datetime | None) -> pl.DataFrame:
    frames = []
    for day in lines.days(folder):
        if since is not None and day.name < f"date={since.date()}":
            break
        frames += [parquet.read_whole(file, remedy="") for file in lines.packed(day)]
        entries = list(lines.lines(day, home))
        frames += [_frame(entries)] if entries else []
    if not frames:
        return pl.DataFrame(schema={"at": MICROSECONDS_UTC, "model": pl.String()})
    rows = pl.concat(frames, how="diagonal_relaxed").sort("at")
    return rows if since is None else rows.filter(pl.col("at") >= since)
