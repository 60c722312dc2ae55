"""Rows that are older than what is kept: they are not taken again."""

import polars as pl

from feature_repo.horizon import Horizons
from transforms.raw.table import RawTable


def without_aged(table: RawTable, rows: pl.DataFrame, horizons: Horizons) -> pl.DataFrame:
    """Leave out the events before the horizon of their table. A state may still hold, and is taken whatever its age.

    Args:
        table: the raw table.
        rows: rows with ``event_timestamp``.
        horizons: the moments up to which rows were removed.
    """
    moment = None if table.changes_slowly else horizons.moments.get(table.name)
    return rows if moment is None else rows.filter(~table.is_before(moment))
