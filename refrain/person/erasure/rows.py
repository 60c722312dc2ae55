"""Rows and lines of people, out of the files that hold them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from feature_repo.encryption import parquet_files
from feature_repo.encryption.stored_files import read_lines, write_lines
from feature_repo.home import Home
from refrain.person.erasure.records import LINES, is_parquet, mentioned, mentions
from refrain.person.scan import PersonKey
from transforms import parquet

_FILE = "refrain:file"
"""Name of the column with the file of a row, which no table has."""
_REMEDY = "the command that wrote it, or: restore it from a backup"


Names = Callable[[Sequence[str]], pl.Expr | None]
"""The columns of a file → whether a row names one of some people; None if no row can."""


def files_with(paths: Iterable[Path], names: Names) -> Iterator[list[Path]]:
    """Those of some Parquet files that hold rows of people, a few at a time.

    Files with the same columns are read together.

    Args:
        paths: the files.
        names: says which rows.

    Raises:
        StoreError: a file is damaged; the message names it.
    """
    groups: defaultdict[tuple[tuple[str, str], ...], list[Path]] = defaultdict(list)
    for path in paths:
        groups[_columns(path)].append(path)
    those = []
    for columns, group in groups.items():
        is_named = names([name for name, _ in columns])
        if is_named is None:
            continue
        rows = parquet_files.scan(group, include_file_paths=_FILE, hive_partitioning=False)
        try:
            texts = rows.filter(is_named.fill_null(False)).select(pl.col(_FILE).unique()).collect()[_FILE]
        except parquet.UNREADABLE:
            those += group
        else:
            those += map(Path, texts)
    those.sort()
    for start in range(0, len(those), parquet.SINKS_AT_ONCE):
        yield those[start : start + parquet.SINKS_AT_ONCE]


def erase_rows(
    paths: Sequence[Path], names: Names, *, first: Callable[[pl.DataFrame], None] = lambda _: None, stays: bool = False
) -> int:
    """Remove the rows of Parquet files that name people.

    A file without such rows is unchanged. One that would be left without rows is removed, and its folder if it is a
    day's.

    Args:
        paths: the files, as many as memory holds.
        names: says which rows.
        first: called with these rows of each file before any file is changed.
        stays: whether files that are left without rows stay.

    Returns:
        Number of rows that were removed.

    Raises:
        StoreError: a file is damaged; the message names it.
    """
    count, kept = 0, {}
    for path in paths:
        rows = _read(path)
        is_named = names(rows.columns)
        if is_named is None:
            continue
        is_erased = rows.select(is_named.fill_null(False)).to_series()
        if is_erased.any():
            first(rows.filter(is_erased))
            count += int(is_erased.sum())
            kept[path] = rows.filter(~is_erased)
    _write({path: rows for path, rows in kept.items() if rows.height or stays})
    for path in [path for path, rows in kept.items() if not rows.height and not stays]:
        _remove(path)
    return count


def erase_mentions(path: Path, home: Home, person: PersonKey, ids: Sequence[str]) -> int:
    """Remove what mentions people from a file of records: rows of Parquet, or lines; see ``records.mentions``.

    Returns:
        Number of rows or lines that were removed.

    Raises:
        StoreError: the file is damaged; the message names it.
    """
    if is_parquet(path):
        rows = _read(path)
        is_erased = mentioned(rows, person, ids)
        return erase_rows([path], lambda _: pl.lit(is_erased)) if is_erased.any() else 0
    if path.suffix not in LINES:
        return 0
    lines = read_lines(path, home)
    kept = [line for line in lines if not any(mentions(line.strip(), person, id_) for id_ in ids)]
    if len(kept) < len(lines):
        mode = path.stat().st_mode
        write_lines(path, kept, home)
        path.chmod(mode)
    return len(lines) - len(kept)


def _columns(path: Path) -> tuple[tuple[str, str], ...]:
    """Names and types of the columns of a file."""
    try:
        return tuple((field.name, str(field.type)) for field in parquet_files.schema(path))
    except (pa.ArrowException, OSError) as error:
        raise parquet.damaged(path, error, _REMEDY) from error


def _read(path: Path) -> pl.DataFrame:
    return parquet.read_whole(path, remedy=_REMEDY)


def _write(rows: Mapping[Path, pl.DataFrame]) -> None:
    """Write files anew, with their metadata and their modes."""
    modes = {path: path.stat().st_mode for path in rows}
    parquet.write_all(rows, {path: parquet.metadata(path) for path in rows})
    for path, mode in modes.items():
        path.chmod(mode)


def _remove(path: Path) -> None:
    path.unlink()
    if path.parent.name.startswith("date=") and not any(path.parent.iterdir()):
        path.parent.rmdir()
