"""Keys that have lost events: those that a correction moved to another key or to another time, or that were removed.

What is online of such a key may rest on an event that is gone, and be newer than any row that the tables have now.
Whoever notices notes the keys, in ``tiles/<table>/retracted/``; whoever brings the table online next, the stream or
materialize, writes what they say now and forgets them.
"""

import os
import shlex
from pathlib import Path

import polars as pl

from feature_repo.errors import StoreError
from feature_repo.home import Home


def note(home: Home, table: str, keys: pl.DataFrame, now: int) -> None:
    """Keep the keys of a table that have lost events.

    Args:
        home: the data folder.
        table: its name.
        keys: the join keys, in any order and with repeats.
        now: microseconds since 1970.
    """
    if keys.is_empty():
        return
    folder = _folder(home, table)
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.parquet")))
    path = folder / f"{now}-{os.getpid()}-{number}.parquet"
    partial = folder / f".partial-{path.name}"
    keys.unique().write_parquet(partial)
    partial.replace(path)


def noted(home: Home, table: str) -> list[Path]:
    """The files in which keys of a table stand, for ``keys`` and ``forget``."""
    return sorted(path for path in _folder(home, table).glob("*.parquet") if not path.name.startswith("."))


def keys(files: list[Path]) -> pl.DataFrame:
    """The distinct keys of some files, one at least.

    Raises:
        StoreError: a file is damaged; which keys it held is not known any more.
    """
    return pl.concat([_read(path) for path in files]).unique().sort(pl.all())


def forget(files: list[Path]) -> None:
    """What these files name is online as it is now."""
    for path in files:
        path.unlink(missing_ok=True)


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StoreError(
            expected=f"a whole Parquet file at {path}",
            found=(str(error).splitlines() or ["nothing"])[0],
            next_command=f"rm {shlex.quote(str(path))} && python -m feature_repo materialize --anew",
        ) from error


def _folder(home: Home, table: str) -> Path:
    return home.tiles(table) / "retracted"
