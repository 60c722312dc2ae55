"""The days of a table: its folders ``date=YYYY-MM-DD``, as everybody lists them.

What else lies there (a backup beside a day, a file of a day's name, a day that the calendar does not have) is no part
of the table: nobody reads it, and the doctor names it.
"""

import os
import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path

_NAME = re.compile(r"date=(\d{4}-\d{2}-\d{2})")


def days_in(folder: Path) -> dict[str, str]:
    """ISO date → path of the folder of that day, oldest first; none where the table is not there."""
    try:
        with os.scandir(folder) as entries:
            found = {day: one.path for one in entries if (day := _day(one.name)) and one.is_dir()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return dict(sorted(found.items()))


def files_in(folder: Path) -> list[Path]:
    """The Parquet files of a table, in the order of their paths: those of its days, and those beside the days."""
    places = [str(folder), *days_in(folder).values()]
    return sorted(path for place in places for path in _files(place))


def strangers_in(folder: Path) -> list[Path]:
    """Folders and files beside the days of a table that look like a part of it and are none."""
    try:
        entries = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    days = days_in(folder)
    return [one for one in entries if one.name.removeprefix("date=") not in days and _is_strange(one)]


def _is_strange(path: Path) -> bool:
    if path.name.startswith((".", "_")):
        return False
    return path.name.startswith("date=") or path.is_dir()


def _files(place: str) -> Iterator[Path]:
    try:
        with os.scandir(place) as entries:
            names = [one.name for one in entries if one.name.endswith(".parquet") and one.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (Path(place) / name for name in names if not name.startswith((".", "_")))


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
