"""Keys that lost events, because a correction moved an event to another key or time, or removed it.

The online row of such a key may depend on a removed event, and may be newer than all rows of the feature table. The
code that detects this records the keys in ``tiles/<table>/retracted/``. The next stream or materialize rewrites their
online rows and deletes the record.
"""

import os
import shlex
from pathlib import Path

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.errors import StoreError
from feature_repo.home import Home


def note(home: Home, table: str, keys: pl.DataFrame, now: int) -> None:
    """Records keys of a table that lost events.

    Args:
        home: the data folder.
        table: name of the table.
        keys: join keys, in any order, possibly with duplicates.
        now: current time in microseconds since 1970.
    """
    if keys.is_empty():
        return
    folder = _folder(home, table)
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.parquet")))
    path = folder / f"{now}-{os.getpid()}-{number}.parquet"
    partial = folder / f".partial-{path.name}"
    parquet_files.write(keys.unique(), partial, final=path)
    partial.replace(path)


def list_files(home: Home, table: str) -> list[Path]:
    """Lists the files with recorded keys of a table, for ``keys`` and ``forget``."""
    return sorted(path for path in _folder(home, table).glob("*.parquet") if not path.name.startswith("."))


def keys(files: list[Path]) -> pl.DataFrame:
    """Reads the distinct keys of one or more files.

    Raises:
        StoreError: a file is damaged, so that its keys are unknown.
    """
    return pl.concat([_read(path) for path in files]).unique().sort(pl.all())


def forget(files: list[Path]) -> None:
    """Deletes files after the online rows of their keys were rewritten."""
    for path in files:
        path.unlink(missing_ok=True)


def _read(path: Path) -> pl.DataFrame:
    try:
        return parquet_files.read(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StoreError(
            expected=f"a whole Parquet file at {path}",
            found=(str(error).splitlines() or ["nothing"])[0],
            next_command=f"rm {shlex.quote(str(path))} && refrain materialize --anew",
        ) from error


def _folder(home: Home, table: str) -> Path:
    return home.tiles(table) / "retracted"
