"""Reads rows of a table, to look at its columns."""

from pathlib import Path

import polars as pl

from feature_repo.errors import InputError

MOST_ROWS = 100_000


def sample(path: Path) -> pl.DataFrame:
    """Reads the first rows of a table.

    Args:
        path: a file of Parquet, CSV or JSON lines.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise InputError(expected="a table of events", found=f"no file {path}", next_command=f"ls {path.parent}")
    try:
        if path.suffix == ".parquet":
            return pl.scan_parquet(path, glob=False).head(MOST_ROWS).collect()
        if path.suffix in (".jsonl", ".ndjson"):
            return pl.read_ndjson(path, infer_schema_length=MOST_ROWS, n_rows=MOST_ROWS)
        return pl.read_csv(path, infer_schema_length=MOST_ROWS, n_rows=MOST_ROWS, try_parse_dates=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            expected="a table of Parquet, CSV or JSON lines",
            found=f"{path}: {(str(error).splitlines() or ['unreadable'])[0]}",
            next_command="write the table as Parquet, then repeat the command",
        ) from error
