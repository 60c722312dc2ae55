"""Raw tables, for the stages after."""

import polars as pl
from polars.exceptions import ComputeError

from feature_repo.errors import StoreError
from feature_repo.home import Home
from transforms import parquet
from transforms.raw import TABLES


def scan(home: Home, name: str) -> pl.LazyFrame:
    """One raw table, lazily; a table that was never written has no rows.

    Raises:
        StoreError: one of its files is damaged; it is named.
    """
    table = TABLES[name]
    files = sorted(home.raw(name).rglob(parquet.PART))
    if not files:
        return pl.LazyFrame(schema=table.columns)
    try:
        pl.scan_parquet(files, hive_partitioning=False, glob=False).collect_schema()
    except (ComputeError, OSError) as error:
        raise _name_the_damaged(name, home, error) from error
    # files that were written before a column was there have it as null
    return pl.scan_parquet(files, schema=table.columns, missing_columns="insert", hive_partitioning=False, glob=False)


def plays(home: Home) -> pl.LazyFrame:
    """The plays, of which there must be some.

    Raises:
        StoreError: there are none, or a file is damaged.
    """
    if not parquet.has_dates(home.raw("plays")):
        raise StoreError(
            expected=f"plays in {home.raw('plays')}",
            found="none",
            next_command="python -m transforms simulate  (or: python -m transforms import FORMAT PATH)",
        )
    return scan(home, "plays")


def _name_the_damaged(name: str, home: Home, error: Exception) -> StoreError:
    for path in sorted(home.raw(name).rglob(parquet.PART)):
        parquet.read_whole(path, columns=[], remedy="python -m transforms import …  (every source of that day)")
    return parquet.damaged(home.raw(name), error, "python -m transforms import …")
