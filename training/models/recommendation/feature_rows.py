"""Writes rows that training computed at a cutoff to the feature tables."""

import hashlib
from datetime import UTC, datetime

import polars as pl

from feature_repo import clock
from feature_repo.home import Home
from transforms import feature_tables
from transforms.batch import closings, versions


def write_rows(home: Home, view: str, rows: pl.DataFrame, cutoff: int, fit: str) -> None:
    """Writes the rows that training computed at a cutoff to a feature table; those of a fit before are closed.

    Args:
        home: the data folder.
        view: name of the feature view.
        rows: its rows.
        cutoff: their event time, µs since 1970 UTC.
        fit: identifier of what they were computed from.
    """
    table, now = feature_tables.tables(home)[view], clock.now()
    date = str(datetime.fromtimestamp(cutoff / 1e6, UTC).date())
    inputs = hashlib.sha256(f"{view} {fit}".encode()).hexdigest()
    versions.replace(home, table, rows, date=date, part=f"part-{cutoff}.parquet", inputs=inputs, now=now)
    closings.close(home, table, now, since=date)
