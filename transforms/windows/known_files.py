"""What the files of a table were computed from, and how many rows they have, without opening them again."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms import feature_tables, parquet

_MEMORY = ".known-{}.json"


@dataclass(frozen=True)
class KnownFile:
    """Attributes:
    inputs: fingerprint of what it was computed from; None if it does not tell, is damaged or is not there.
    rows: how many.
    """

    inputs: str | None
    rows: int


_NOTHING = KnownFile(None, 0)


class KnownFiles:
    """The files of one name in the ``date=…`` folders of a table.

    A file is opened once, and again when its size or time of change is another: a year of files tells in milliseconds
    that nothing is new.

    Args:
        folder: of the table.
        name: of the files.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name, self._memory = folder, name, folder / _MEMORY.format(name.removesuffix(".parquet"))

    def look(self) -> dict[str, KnownFile]:
        """Date → file, oldest first."""
        try:
            days = sorted(one.name for one in os.scandir(self._folder) if one.name.startswith("date="))
        except FileNotFoundError:
            return {}
        before, now = self._before(), {}
        for day in days:
            path = f"{self._folder}/{day}/{self._name}"
            try:
                stat = os.stat(path)  # noqa: PTH116  # a path object a file takes as long again
            except FileNotFoundError:
                continue
            state = before.get(day)
            if state is None or state[:2] != [stat.st_size, stat.st_mtime_ns]:
                state = [stat.st_size, stat.st_mtime_ns, *_opened(path)]
            now[day] = state
        if now != before:
            partial = self._folder / f"{parquet.PARTIAL}{os.getpid()}-{self._memory.name}"  # swept like other halves
            partial.write_text(json.dumps(now))
            partial.replace(self._memory)
        return {day.removeprefix("date="): KnownFile(*state[2:]) for day, state in now.items()}

    def _before(self) -> dict[str, list]:
        try:
            return json.loads(self._memory.read_text())
        except (OSError, ValueError):
            return {}


def _opened(path: str) -> tuple[str | None, int]:
    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid):
        return _NOTHING.inputs, _NOTHING.rows
    inputs = (footer.metadata or {}).get(feature_tables.INPUTS.encode())
    return (inputs.decode() if inputs is not None else None), footer.num_rows
