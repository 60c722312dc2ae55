"""The days of a table: its folders ``date=YYYY-MM-DD``. All readers list days with this module.

Other entries (a backup beside a day, a file with the name of a day, an invalid date) are not part of the table: no code
reads them, and the doctor reports them.
"""

import os
import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path

_NAME = re.compile(r"date=(\d{4}-\d{2}-\d{2})")


def days_in(folder: Path) -> dict[str, str]:
    """Maps ISO dates to day folders, oldest first; empty if the table does not exist."""
    try:
        with os.scandir(folder) as entries:
            paths = {day: entry.path for entry in entries if (day := _day(entry.name)) and entry.is_dir()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return dict(sorted(paths.items()))


def files_in(folder: Path) -> list[Path]:
    """Lists the Parquet files of a table, in its day folders and beside them, sorted by path."""
    folders = [str(folder), *days_in(folder).values()]
    return sorted(path for folder_path in folders for path in _files(folder_path))


def strangers_in(folder: Path) -> list[Path]:
    """Lists folders and files beside the days of a table that look like a part of it but are not."""
    try:
        entries = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    days = days_in(folder)
    return [entry for entry in entries if entry.name.removeprefix("date=") not in days and _looks_like_data(entry)]


def _looks_like_data(path: Path) -> bool:
    if path.name.startswith((".", "_")):
        return False
    return path.name.startswith("date=") or path.is_dir()


def _files(folder: str) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(".parquet") and entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (Path(folder) / name for name in names if not name.startswith((".", "_")))


@lru_cache(maxsize=65_536)
def _day(name: str) -> str | None:
    matched = _NAME.fullmatch(name)
    if matched is None:
        return None
    try:
        date.fromisoformat(matched[1])
    except ValueError:
        return None
    return matched[1]
