"""Folders of logs: JSON lines as serving wrote them, and the Parquet files that they are packed into.

A log is a folder of ``date=…`` folders. Packing first renames a file, so that its writer begins a new one with the
next line. Then it writes the rows to Parquet in one step, and removes the lines. It may be killed at any moment: the
next run packs the same lines into a file of the same name.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.days import days_in
from feature_repo.encryption.stored_files import read_lines, remove_stored
from feature_repo.encryption.stored_place import TAKEN
from feature_repo.home import Home
from transforms import parquet

LINES = ".jsonl"
SETTLES = 0.2
"""Seconds that a writer has to finish its line after its file was renamed."""


def days(folder: Path) -> list[Path]:
    """The folders of the days of a log, newest first."""
    return [Path(day) for day in reversed(days_in(folder).values())]


def lines(day: Path, home: Home) -> Iterator[dict[str, Any]]:
    """The entries of a day that are not packed yet; lines that a crash has cut off are left out."""
    for file in sorted((*day.glob(f"*{LINES}"), *day.glob(f"*{TAKEN}"))):
        yield from _read_entries(file, home)


def packed(day: Path) -> list[Path]:
    """The Parquet files of a day."""
    return sorted(day.glob("packed-*.parquet"))


def pack(folder: Path, rows_of: Callable[[Sequence[dict[str, Any]]], dict[str, pl.DataFrame]], home: Home) -> int:
    """Convert the JSON lines of a log to Parquet.

    Args:
        folder: the folder of the log.
        rows_of: converts entries to tables: name → rows. Entries that it puts into no table are lost.
        home: the data folder.

    Returns:
        The number of lines that were packed.
    """
    count = 0
    for day in days(folder):
        for file in day.glob(f"*{LINES}"):
            # the writer continues under the old name; the new name is unique to this file
            file.rename(file.with_name(f"{file.stem}-{uuid.uuid4().hex[:8]}{TAKEN}"))
        renamed = sorted(day.glob(f"*{TAKEN}"))
        if not renamed:
            continue
        time.sleep(SETTLES)
        for file in renamed:
            entries = list(_read_entries(file, home))
            for kind, rows in rows_of(entries).items():
                parquet.write_whole(rows, day / f"packed-{kind}-{file.stem}.parquet")
            remove_stored(file, home)
            count += len(entries)
    return count


def _read_entries(file: Path, home: Home) -> Iterator[dict[str, Any]]:
    for line in read_lines(file, home):
        try:
            entry = json.loads(line)
        except ValueError:  # a process was killed during the write
            continue
        if isinstance(entry, dict):
            yield entry
