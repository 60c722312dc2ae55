"""Rows of people who are forgotten: they are not taken again."""

import polars as pl

from feature_repo.forgotten import Forgotten
from transforms.raw.table import RawTable


def without_forgotten(table: RawTable, rows: pl.DataFrame, forgotten: Forgotten) -> pl.DataFrame:
    """Leave out the rows that hold the id of a forgotten person.

    Args:
        table: the raw table.
        rows: rows as they were read, with some of its columns.
        forgotten: the people who are forgotten.
    """
    for join_key in forgotten.digests:
        for name in table.columns_of(join_key):
            if name not in rows.columns:
                continue
            ids = rows[name].cast(pl.String, strict=False)
            among = forgotten.among(join_key, ids.unique().drop_nulls().to_list())
            if among:
                rows = rows.filter(~ids.is_in(list(among)).fill_null(False))
    return rows
