"""Parquet files that are written atomically, and a cache of facts about partitions."""

import hashlib
import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate, groupby
from pathlib import Path
from types import UnionType
from typing import Any

import polars as pl

from feature_repo import whole_files
from feature_repo.days import days_in
from feature_repo.encryption import parquet_files
from feature_repo.errors import StoreError
from transforms.small_parquet.encode import MOST_ROWS, encode, small_files

Kinds = tuple[type | UnionType, ...]

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""Exceptions that polars raises for a file that is truncated, damaged, or not Parquet."""

PART = "part-0.parquet"
PARTIAL = ".partial-"

FILES_AT_ONCE = 256
"""Small files that are encoded at once."""

SINKS_AT_ONCE = 64
"""Other files that are written by one query of polars."""

Items = Sequence[tuple[Path, pl.DataFrame]]
"""Files and their rows."""

_FORMAT: Any = {"compression": "zstd", "compression_level": 1, "mkdir": False, "credential_provider": None}


def write_whole(rows: pl.DataFrame, path: Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write a file that appears under its name only when it is complete. Equal rows give equal bytes."""
    write_all({path: rows}, {path: metadata or {}})


def write_all(
    rows_by_path: Mapping[Path, pl.DataFrame], metadata: Mapping[Path, Mapping[str, str]] | None = None
) -> None:
    """Write many files as ``write_whole`` does, in a fraction of the time if they are small.

    Args:
        rows_by_path: file → its rows.
        metadata: file → its key-value metadata.
    """
    about = {path: dict(sorted(entries.items())) for path, entries in (metadata or {}).items()}
    for _, group in groupby(rows_by_path.items(), lambda item: (item[1].columns, item[1].dtypes)):
        files = list(group)
        for start in range(0, len(files), FILES_AT_ONCE):
            items = files[start : start + FILES_AT_ONCE]
            few_rows = [item for item in items if item[1].height <= MOST_ROWS]
            large = [item for item in items if item[1].height > MOST_ROWS]
            if few_rows:
                large += _write_small(few_rows, about)
            for place in range(0, len(large), SINKS_AT_ONCE):
                _write_large(large[place : place + SINKS_AT_ONCE], about)


def write_slices(rows: pl.DataFrame, heights: Mapping[Path, int]) -> None:
    """Write consecutive rows of a frame to many files as ``write_all`` does, without a frame for each small one.

    Args:
        rows: the rows of all files, one file after another.
        heights: file → number of its rows, in this order.
    """
    paths, position = list(heights), 0
    for start in range(0, len(paths), FILES_AT_ONCE):
        part_paths = paths[start : start + FILES_AT_ONCE]
        counts = [heights[path] for path in part_paths]
        part = rows.slice(position, sum(counts))
        position += part.height
        if all(small_files(part, counts)):
            _write_encoded(part, counts, part_paths)
        else:
            firsts = accumulate(counts, initial=0)
            write_all({path: part.slice(first, heights[path]) for path, first in zip(part_paths, firsts, strict=False)})


def _write_small(items: Items, metadata: Mapping[Path, Mapping[str, str]]) -> Items:
    """Write those of some files that are small; returns the others."""
    rows, heights = pl.concat([rows for _, rows in items]), [rows.height for _, rows in items]
    is_small = small_files(rows, heights)
    small = [item for item, fits in zip(items, is_small, strict=True) if fits]
    if small:
        if len(small) < len(items):
            rows, heights = pl.concat([rows for _, rows in small]), [rows.height for _, rows in small]
        _write_encoded(rows, heights, [path for path, _ in small], metadata)
    return [item for item, fits in zip(items, is_small, strict=True) if not fits]


def _write_encoded(
    rows: pl.DataFrame,
    heights: Sequence[int],
    paths: Sequence[Path],
    metadata: Mapping[Path, Mapping[str, str]] | None = None,
) -> None:
    about = [metadata.get(path, {}) for path in paths] if metadata else None
    for path, content in zip(paths, encode(rows, heights, about), strict=True):
        whole_files.write_whole(path, parquet_files.protected(content, path))


def _write_large(items: Items, metadata: Mapping[Path, Mapping[str, str]]) -> None:
    if any(parquet_files.is_encrypted_at(path) for path, _ in items):
        for path, rows in items:
            content = parquet_files.content(rows, metadata=dict(metadata.get(path, {})), **_FORMAT)
            whole_files.write_whole(path, parquet_files.protected(content, path))
        return
    partials = {path: _partial(path) for path, _ in items}
    try:
        for path in partials:
            path.parent.mkdir(parents=True, exist_ok=True)
        sinks = [
            parquet_files.planned_sink(rows.lazy(), partials[path], metadata=dict(metadata.get(path, {})), **_FORMAT)
            for path, rows in items
        ]
        pl.collect_all(sinks, optimizations=pl.QueryOptFlags.none())
        while partials:
            path, partial = next(iter(partials.items()))
            partial.replace(path)
            del partials[path]
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)


@contextmanager
def write_behind() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Run write tasks in a background thread while the caller prepares the next one; ends when all tasks are done.

    At most one task waits, so that memory holds no more than two. An exception of a task is raised by the next call,
    or at the end.
    """
    futures: list[Future[None]] = []

    def submit(task: Callable[[], None]) -> None:
        while futures:
            futures.pop().result()
        futures.append(pool.submit(task))

    with ThreadPoolExecutor(1) as pool:
        yield submit
        while futures:
            futures.pop().result()


def read_whole(path: Path, *, columns: list[str] | None = None, remedy: str) -> pl.DataFrame:
    """Read one file.

    Args:
        path: the file.
        columns: names of the columns to read; all if None.
        remedy: the command that creates the file again, for the error message; empty where there is none.

    Raises:
        StoreError: the file is truncated or not Parquet.
    """
    try:
        return parquet_files.read(path, columns=columns, hive_partitioning=False)
    except UNREADABLE as error:
        raise damaged(path, error, remedy) from error


def damaged(path: Path, error: Exception, remedy: str) -> StoreError:
    """The error for a file that cannot be read; it names the file and the command that replaces it."""
    first_line = (str(error).splitlines() or [""])[0]
    if encrypted := parquet_files.unreadable(path, first_line):
        return encrypted
    return StoreError(
        expected=f"a whole Parquet file at {path}",
        found=first_line or "nothing",
        next_command=f"{removal(path)} && {remedy}" if remedy else removal(path),
    )


def removal(path: Path) -> str:
    """The shell command that removes a file, with its path quoted."""
    return f"rm {shlex.quote(str(path))}"


def metadata(path: Path) -> dict[str, str]:
    """The key-value metadata of a file that we gave it; empty if there is none, or it is damaged or does not exist."""
    if not os.path.isfile(path):  # noqa: PTH113 - of a first build's thousands of files none exists
        return {}
    import pyarrow as pa  # takes longer than what commands that read no metadata do

    try:
        entries = parquet_files.metadata(path).metadata or {}
    except (pa.ArrowException, OSError):
        return {}
    return {key.decode(): value.decode() for key, value in entries.items() if key != b"ARROW:schema"}  # a library's own


def digest(path: Path) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal; of an encrypted Parquet file, of the plain one that it was."""
    if plain := parquet_files.plain_digest(path):
        return plain
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _partial(path: Path) -> Path:
    return path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")


def sweep(folder: Path) -> None:
    """Remove partial files that killed writers left."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.startswith(PARTIAL):
                Path(parent, name).unlink(missing_ok=True)


def has_dates(folder: Path, name: str = PART) -> bool:
    """Whether any ``date=…`` partition has its file."""
    return any(os.path.exists(path) for path in _partition_files(folder, name).values())  # noqa: PTH110


def file_facts(folder: Path, look: Callable[[Path], tuple], kinds: Kinds, name: str = PART) -> dict[str, list]:
    """Facts about the file of each ``date=…`` partition, by date, oldest first; cached by size and time of change.

    A file is inspected once, and again when its size or modification time has changed. So a year of unchanged files
    is checked in milliseconds.

    Args:
        folder: the folder with the partitions; the facts are cached in a file beside them.
        look: inspects one file; returns a tuple of values that JSON can hold.
        kinds: types of these values, in order.
        name: file name within each partition.
    """
    cache = _facts_file(folder, name)
    cached, current = _read_cache(cache, kinds), {}
    for day, path in _partition_files(folder, name).items():
        try:
            stat = os.stat(path)  # noqa: PTH116  # a path object for each file would double the time
        except FileNotFoundError:
            continue
        entry = cached.get(day)
        if entry is None or entry[:2] != [stat.st_size, stat.st_mtime_ns]:
            entry = [stat.st_size, stat.st_mtime_ns, list(look(Path(path)))]
        current[day] = entry
    if current != cached:
        whole_files.write_whole(cache, json.dumps(current))
    return {day: facts for day, (_, _, facts) in current.items()}


def note_facts(folder: Path, facts: Mapping[str, tuple], kinds: Kinds, name: str = PART) -> None:
    """Note facts about files that were just written, so that ``file_facts`` need not inspect them.

    Args:
        folder: the folder with the partitions.
        facts: date → what ``look`` would find in the file of that date.
        kinds: types of these values, in order.
        name: file name within each partition.
    """
    cache = _facts_file(folder, name)
    entries = _read_cache(cache, kinds)
    for day, values in facts.items():
        stat = os.stat(f"{folder}/date={day}/{name}")  # noqa: PTH116
        entries[day] = [stat.st_size, stat.st_mtime_ns, list(values)]
    whole_files.write_whole(cache, json.dumps(entries))


def _facts_file(folder: Path, name: str) -> Path:
    return folder / f".known-{name.removesuffix('.parquet')}.json"


def _partition_files(folder: Path, name: str) -> dict[str, str]:
    return {day: f"{day_folder}/{name}" for day, day_folder in days_in(folder).items()}


def _read_cache(cache: Path, kinds: Kinds) -> dict[str, list]:
    """Read the cached entries; those of another form are left out, so that their files are inspected again."""
    try:
        entries = json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}
    items = entries.items() if isinstance(entries, dict) else ()
    return {day: entry for day, entry in items if _is_cache_entry(entry, kinds)}


def _is_cache_entry(entry: Any, kinds: Kinds) -> bool:
    if not isinstance(entry, list) or [*map(type, entry)] != [int, int, list] or len(entry[2]) != len(kinds):
        return False
    return all(map(isinstance, entry[2], kinds))
