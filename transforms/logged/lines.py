"""Folders of logs: JSON lines as they were written, and Parquet that they were packed into.

A log is a folder of ``date=…`` folders. Packing first takes the name of a file away from its writer (the next line
begins a new one), then writes its rows whole, then removes the lines. It may be killed at any moment: the next run
packs the same lines into a file of the same name.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.days import days_in
from transforms import parquet

LINES, TAKEN = ".jsonl", ".packing"
SETTLES = 0.2
"""Seconds in which a writer that has opened a file ends its line."""


def days(folder: Path) -> list[Path]:
    """The folders of days, newest first."""
    return [Path(day) for day in reversed(days_in(folder).values())]


def lines(day: Path) -> Iterator[dict[str, Any]]:
    """What was not packed yet; lines that were cut off by a crash are left out."""
    for file in sorted((*day.glob(f"*{LINES}"), *day.glob(f"*{TAKEN}"))):
        yield from _of(file)


def packed(day: Path) -> list[Path]:
    """The Parquet files."""
    return sorted(day.glob("packed-*.parquet"))


def pack(folder: Path, rows_of: Callable[[Sequence[dict[str, Any]]], dict[str, pl.DataFrame]]) -> int:
    """Make Parquet of a log's lines.

    Args:
        folder: of the log.
        rows_of: makes tables of lines: name → rows. Lines that it makes nothing of are gone afterwards.

    Returns:
        Lines that were packed.
    """
    count = 0
    for day in days(folder):
        for file in day.glob(f"*{LINES}"):
            # the writer goes on under the old name: the new one is this piece's alone
            file.rename(file.with_name(f"{file.stem}-{uuid.uuid4().hex[:8]}{TAKEN}"))
        taken = sorted(day.glob(f"*{TAKEN}"))
        if not taken:
            continue
        time.sleep(SETTLES)
        for file in taken:
            told = list(_of(file))
            for kind, rows in rows_of(told).items():
                parquet.write_whole(rows, day / f"packed-{kind}-{file.stem}.parquet")
            file.unlink()
            count += len(told)
    return count


def _of(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_bytes().splitlines():
        try:
            told = json.loads(line)
        except ValueError:  # a process was killed while it wrote
            continue
        if isinstance(told, dict):
            yield told
