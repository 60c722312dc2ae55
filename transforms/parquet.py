"""Parquet files that are whole or not there."""

import hashlib
import json
import os
import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.days import days_in
from feature_repo.errors import StoreError

Kinds = tuple[type | UnionType, ...]

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What polars raises at a file that is cut short, damaged, or no Parquet."""

PART = "part-0.parquet"
PARTIAL = ".partial-"


def write_whole(rows: pl.DataFrame, path: Path, *, metadata: dict[str, str] | None = None) -> None:
    """Write a file that appears under its name only when complete; equal rows give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        rows.write_parquet(partial, compression="zstd", compression_level=1, metadata=metadata, mkdir=False)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def behind() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Takes pieces of work that write, and does each while its caller makes the next one; ends when all are done.

    One piece waits at the most, so that memory holds no more than two. What a piece raises is raised by the next call,
    or at the end.
    """
    pending: list[Future[None]] = []

    def take(work: Callable[[], None]) -> None:
        while pending:
            pending.pop().result()
        pending.append(pool.submit(work))

    with ThreadPoolExecutor(1) as pool:
        yield take
        while pending:
            pending.pop().result()


def read_whole(path: Path, *, columns: list[str] | None = None, remedy: str) -> pl.DataFrame:
    """Read one file.

    Args:
        path: the file.
        columns: names to read, all if None.
        remedy: the command that makes the file anew, for the error; empty where nothing does.

    Raises:
        StoreError: it is cut short or not Parquet.
    """
    try:
        return pl.read_parquet(path, columns=columns, hive_partitioning=False, glob=False)
    except UNREADABLE as error:
        raise damaged(path, error, remedy) from error


def damaged(path: Path, error: Exception, remedy: str) -> StoreError:
    """The error that names a file that cannot be read and how to replace it."""
    first_line = (str(error).splitlines() or [""])[0]
    return StoreError(
        expected=f"a whole Parquet file at {path}",
        found=first_line or "nothing",
        next_command=f"{removal(path)} && {remedy}" if remedy else removal(path),
    )


def removal(path: Path) -> str:
    """The command that removes a file, whatever signs are in its path."""
    return f"rm {shlex.quote(str(path))}"


def metadata(path: Path) -> dict[str, str]:
    """The file's own key-value metadata; empty if it has none, is damaged or is not there."""
    try:
        found = pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError):
        return {}
    return {name.decode(): text.decode() for name, text in found.items()}


def digest(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sweep(folder: Path) -> None:
    """Remove what killed writers left."""
    for partial in folder.rglob(f"{PARTIAL}*"):
        partial.unlink(missing_ok=True)


def has_dates(folder: Path, name: str = PART) -> bool:
    """Whether there is a file of any ``date=…`` partition."""
    return any(os.path.exists(path) for path in _of_dates(folder, name).values())  # noqa: PTH110


def remembered(folder: Path, look: Callable[[Path], tuple], kinds: Kinds, name: str = PART) -> dict[str, list]:
    """What a look at the file of each ``date=…`` partition finds, oldest first.

    A file is looked at once, and again when its size or time of change is another: a year of files tells in
    milliseconds that nothing is new.

    Args:
        folder: of the partitions; what was found is kept in a file beside them.
        look: gives what JSON can hold.
        kinds: types of what it gives, one by one.
        name: of the files.
    """
    memory = folder / f".known-{name.removesuffix('.parquet')}.json"
    before, now = _in_memory(memory, kinds), {}
    for day, path in _of_dates(folder, name).items():
        try:
            stat = os.stat(path)  # noqa: PTH116  # a path object a file takes as long again
        except FileNotFoundError:
            continue
        state = before.get(day)
        if state is None or state[:2] != [stat.st_size, stat.st_mtime_ns]:
            state = [stat.st_size, stat.st_mtime_ns, list(look(Path(path)))]
        now[day] = state
    if now != before:
        partial = folder / f"{PARTIAL}{os.getpid()}-{memory.name}"  # swept like other halves
        partial.write_text(json.dumps(now))
        partial.replace(memory)
    return {day: found for day, (_, _, found) in now.items()}


def _of_dates(folder: Path, name: str) -> dict[str, str]:
    return {day: f"{place}/{name}" for day, place in days_in(folder).items()}


def _in_memory(memory: Path, kinds: Kinds) -> dict[str, list]:
    """What was found before; what is not of that form is looked at again."""
    try:
        states = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    whole = states.items() if isinstance(states, dict) else ()
    return {day: state for day, state in whole if _is_state(state, kinds)}


def _is_state(state: Any, kinds: Kinds) -> bool:
    if not isinstance(state, list) or [*map(type, state)] != [int, int, list] or len(state[2]) != len(kinds):
        return False
    return all(map(isinstance, state[2], kinds))
