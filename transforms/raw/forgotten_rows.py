"""Rows of people who are forgotten: they are not taken again."""

import polars as pl

from feature_repo.forgotten import Forgotten
from transforms.raw.table import RawTable


def without_forgotten(table: RawTable, rows: pl.DataFrame, forgotten: Forgotten) -> pl.DataFrame:
    """Leave out the rows that name a forgotten person.

    Args:
        table: the raw table.
        rows: rows with some of its columns.
        forgotten: the people who are forgotten.
    """
    for join_key in forgotten.digests:
        columns = [name for name in (*table.columns_of(join_key), "entity_id") if name in rows.columns]
        if not columns or not table.has_ids_of(join_key):
            continue
        ids = {id_ for name in columns for id_ in rows[name].cast(pl.String, strict=False).unique().drop_nulls()}
        among = forgotten.among(join_key, ids)
        is_named = table.names(join_key, sorted(among), rows.columns) if among else None
        if is_named is not None:
            rows = rows.filter(~is_named)
    return rows
