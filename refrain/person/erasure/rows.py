"""Rows and lines of people, out of the files that hold them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.whole_files import write_whole
from refrain.person.erasure.records import LINES, is_parquet, mentioned, mentions
from refrain.person.scan import PersonKey
from transforms import parquet

_REMEDY = "the command that wrote it, or: restore it from a backup"


Names = Callable[[Sequence[str]], pl.Expr | None]
"""The columns of a file → whether a row names one of some people; None if no row can."""


def erase_rows(
    path: Path, names: Names, *, first: Callable[[pl.DataFrame], None] = lambda _: None, stays: bool = False
) -> int:
    """Remove the rows of a Parquet file that name people.

    A file without such rows is unchanged. One that would be left without rows is removed, and its folder if it is a
    day's.

    Args:
        path: the file.
        names: says which rows.
        first: called with these rows before the file is changed.
        stays: whether a file that is left without rows stays.

    Returns:
        Number of rows that were removed.

    Raises:
        StoreError: the file is damaged; the message names it.
    """
    is_named = names(_columns(path))
    if is_named is None:
        return 0
    is_erased = _read(path, is_named.meta.root_names()).select(is_named.fill_null(False)).to_series()
    if not is_erased.any():
        return 0
    rows = _read(path)
    first(rows.filter(is_erased))
    return _write(path, rows, is_erased, stays=stays)


def erase_mentions(path: Path, person: PersonKey, ids: Sequence[str]) -> int:
    """Remove what mentions people from a file of records: rows of Parquet, or lines; see ``records.mentions``.

    Returns:
        Number of rows or lines that were removed.

    Raises:
        StoreError: the file is damaged; the message names it.
    """
    if is_parquet(path):
        rows = _read(path)
        return _write(path, rows, mentioned(rows, person, ids))
    if path.suffix not in LINES:
        return 0
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not any(mentions(line.strip(), person, id_) for id_ in ids)]
    if len(kept) < len(lines):
        mode = path.stat().st_mode
        write_whole(path, b"".join(kept), is_secret=True)
        path.chmod(mode)
    return len(lines) - len(kept)


def _columns(path: Path) -> list[str]:
    try:
        return pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise parquet.damaged(path, error, _REMEDY) from error


def _read(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    return parquet.read_whole(path, columns=columns, remedy=_REMEDY)


def _write(path: Path, rows: pl.DataFrame, is_erased: pl.Series, *, stays: bool = False) -> int:
    count = int(is_erased.sum())
    if not count:
        return 0
    kept = rows.filter(~is_erased)
    if kept.height or stays:
        metadata = pq.read_metadata(path).metadata or {}
        about = {key.decode(): value.decode() for key, value in metadata.items() if key != b"ARROW:schema"}
        mode = path.stat().st_mode
        parquet.write_whole(kept, path, metadata=about or None)
        path.chmod(mode)
        return count
    path.unlink()
    if path.parent.name.startswith("date=") and not any(path.parent.iterdir()):
        path.parent.rmdir()
    return count
