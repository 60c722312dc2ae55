"""Logs whose lines are rows: answers (``predictions``) and exposures."""

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
    """Families of models whose answers were logged."""
    return sorted(folder.name.removeprefix("family=") for folder in home.predictions.glob("family=*"))


def predictions(home: Home, family: str, since: datetime | None = None) -> pl.DataFrame:
    """Answers of one family: ``at`` (UTC), ``model``, and what was said; oldest first, without rows if none."""
    return _read(home.predictions / f"family={family}", since)


def exposures(home: Home) -> pl.DataFrame:
    """Who was shown which arm: ``at``, ``user_id``, ``experiment``, ``variant``, ``chance``, ``answer_id``."""
    return _read(home.exposures, None)


def pack(home: Home) -> int:
    """Make Parquet of the lines of both; returns how many lines."""
    folders = [home.predictions / f"family={family}" for family in families(home)]
    return sum(lines.pack(folder, _tables) for folder in (*folders, home.exposures))


def _tables(told: Sequence[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    return {"rows": _frame(told)} if told else {}


def _frame(told: Sequence[dict[str, Any]]) -> pl.DataFrame:
    rows = pl.DataFrame(told, infer_schema_length=None, strict=False)
    return rows.with_columns(pl.col("at").cast(MICROSECONDS_UTC))


def _read(folder: Path, since: datetime | None) -> pl.DataFrame:
    found = []
    for day in lines.days(folder):
        if since is not None and day.name < f"date={since.date()}":
            break
        found += [parquet.read_whole(file, remedy="") for file in lines.packed(day)]
        told = list(lines.lines(day))
        found += [_frame(told)] if told else []
    if not found:
        return pl.DataFrame(schema={"at": MICROSECONDS_UTC, "model": pl.String()})
    rows = pl.concat(found, how="diagonal_relaxed").sort("at")
    return rows if since is None else rows.filter(pl.col("at") >= since)
