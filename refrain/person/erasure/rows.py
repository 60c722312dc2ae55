"""Rows and lines with ids, out of the files that hold them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from feature_repo.whole_files import write_whole
from refrain.person.erasure.records import LINES, has_value, is_parquet, mentioned, mentions
from transforms import parquet


def erase_rows(
    path: Path, ids: Sequence[str], columns: Sequence[str], *, first: Callable[[], None] = lambda: None
) -> int:
    """Remove the rows of a Parquet file in which one of some columns has one of some ids.

    A file without such rows is unchanged. One that would be left without rows is removed, and its folder if it is a
    day's.

    Args:
        path: the file.
        ids: the ids.
        columns: the columns; those that the file lacks hold nothing.
        first: called before the file is changed.

    Returns:
        Number of rows that were removed.
    """
    rows = pl.read_parquet(path, hive_partitioning=False, glob=False)
    is_erased = has_value(rows, ids, columns)
    if is_erased.any():
        first()
    return _write(path, rows, is_erased)


def erase_mentions(path: Path, key: str, ids: Sequence[str]) -> int:
    """Remove what mentions one of some ids from a file of records: rows of Parquet, or lines.

    A row mentions an id if a text in it holds the id as a word of its own, or, for ids that could be any number, if
    the column of the key has it.

    Returns:
        Number of rows or lines that were removed.
    """
    if is_parquet(path):
        rows = pl.read_parquet(path, hive_partitioning=False, glob=False)
        return _write(path, rows, mentioned(rows, key, ids))
    if path.suffix not in LINES:
        return 0
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not any(mentions(line, key, id_) for id_ in ids)]
    if len(kept) < len(lines):
        write_whole(path, b"".join(kept), is_secret=not path.stat().st_mode & 0o077)
    return len(lines) - len(kept)


def _write(path: Path, rows: pl.DataFrame, is_erased: pl.Series) -> int:
    count = int(is_erased.sum())
    if not count:
        return 0
    kept = rows.filter(~is_erased)
    if kept.height:
        metadata = pq.read_metadata(path).metadata or {}
        about = {key.decode(): value.decode() for key, value in metadata.items() if key != b"ARROW:schema"}
        parquet.write_whole(kept, path, metadata=about or None)
        return count
    path.unlink()
    if path.parent.name.startswith("date=") and not any(path.parent.iterdir()):
        path.parent.rmdir()
    return count
