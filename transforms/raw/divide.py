"""Divides the reported rows of a raw table into those to store and redundant ones; depends only on the set of rows."""

import numpy as np
import polars as pl

from transforms.raw.by_day import DAY
from transforms.raw.left_out import once, same_as_before
from transforms.raw.table import RawTable


def merge(table: RawTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows to store: each event, or each change, once, sorted; see ``divide``."""
    return divide(table, rows)[0]


def divide(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Divide rows into those to store and redundant ones.

    Of an event, the values of its newest version are stored, with the created time at which they were first reported
    after other values. In a table that changes slowly, a row is redundant if the rows before it have the same values
    and one of them has a created time that is not later.

    Args:
        table: the raw table of the rows.
        rows: all reported versions of their events; for a table that changes slowly, all rows since the first new
            one, and the stored rows before it. With a column ``DAY``, each day is divided by itself.

    Returns:
        The rows to store and the redundant rows, each sorted (first by day, if there is one) and without repetitions.
    """
    return _states(table, rows) if table.changes_slowly else _events(table, rows)


def key_of(table: RawTable, rows: pl.DataFrame) -> list[str]:
    """The columns that identify an event among the rows: the key of the table, within a day if rows have ``DAY``."""
    return [*([DAY] if DAY in rows.columns else []), *table.key]


def _events(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    moment, columns = "event_timestamp", [name for name in rows.columns if name == DAY or name in table.columns]
    others = [name for name in key_of(table, rows) if name not in (DAY, moment)]
    days = [DAY] if DAY in columns else []
    order = [*days, moment, *others] if moment in table.key else [*days, *others]
    reported = rows.select(*days, *table.columns).sort(order, nulls_last=True)
    repeats = reported.select(same_as_before(order)).to_series()
    redundant = reported.clear()
    if repeats.any():
        is_alone = ~(repeats | repeats.shift(-1, fill_value=False))
        newest, redundant = _newest(table, reported.filter(~is_alone), order)
        reported = pl.concat([reported.filter(is_alone), newest]).sort(order, nulls_last=True)
    if moment not in table.key:
        reported = reported.sort([*days, moment, *others], nulls_last=True)
    return reported, redundant


def _newest(table: RawTable, rows: pl.DataFrame, key: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Divide rows of events into the first report of the newest values of each, and the others."""
    rest = [name for name in table.columns if name not in key and name not in ("created_timestamp", *table.payload)]
    reported = once(rows.sort([*key, "created_timestamp", *table.payload, *rest], nulls_last=True))
    versions = reported.with_row_index("_row").filter(~same_as_before([*key, *table.payload]))
    return _split(reported, versions.unique(key, keep="last", maintain_order=True)["_row"])


def _states(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    key, created = list(table.key), pl.col("created_timestamp")
    times = ["event_timestamp", "created_timestamp"]
    reported = once(rows.select(list(table.columns)).sort([*key, *times, *table.payload], nulls_last=True))
    is_last = ~same_as_before([*key, *times]).shift(-1, fill_value=False)  # among rows with the same times
    states = reported.with_row_index("_row").filter(is_last)
    states = states.with_columns(_is_new=~same_as_before([*key, *table.payload]))
    states = states.with_columns(_run=pl.col("_is_new").cum_sum(), _is_earlier=created < created.shift())
    if states.select((pl.col("_is_earlier") & ~pl.col("_is_new")).any()).item():
        states = states.with_columns(_is_earlier=created < created.cum_min().shift().over("_run"))
        states = states.with_columns(_is_new=pl.col("_is_new") | pl.col("_is_earlier").fill_null(False))
    return _split(reported, states.filter("_is_new")["_row"])


def _split(rows: pl.DataFrame, row_numbers: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows into those with the given row numbers and the others."""
    mask = np.zeros(rows.height, bool)
    mask[row_numbers.to_numpy()] = True
    return rows.filter(pl.Series(mask)), rows.filter(pl.Series(~mask))
