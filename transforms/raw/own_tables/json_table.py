"""JSON lines: one object a line."""

import json
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from feature_repo.errors import InputError
from transforms.raw.importers.format import BATCH_ROWS
from transforms.raw.own_tables.source import LONGEST_LINE, Cells, Chunk, Malformed
from transforms.raw.own_tables.text_files import TextFile

LONGEST = 1 << 24
"""Characters of the longest line."""

_MIXED = (pa.ArrowException, OverflowError, UnicodeEncodeError)
"""Errors of Arrow about values that have no common type."""


class JsonTable:
    """A file of JSON lines; see ``OwnTable``. Its columns are those of the first chunk.

    Raises:
        InputError: the first line is not a JSON object.
    """

    is_text, is_open_ended, decimal = False, True, "."

    def __init__(self, file: TextFile) -> None:
        self._file = file
        self.place = str(file.path)
        self.description = f"JSON lines in {file.description}"
        rows, malformed = next(self._rows())[:2]
        if not rows:
            raise InputError(
                expected=f"one JSON object a line in {self.place}",
                found=f"{malformed[0][1][:60]!r}" if malformed else "no line",
                next_command=f"jq -c . {self.place} > rows.jsonl, then import rows.jsonl",
            )
        self.columns = list(dict.fromkeys(name for row in rows for name in row))

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[Chunk]:
        """Reads the rows; see ``OwnTable.chunks``. A line that is not a JSON object is malformed."""
        wanted = self.columns if columns is None else list(columns)
        total = self._file.path.stat().st_size
        for rows, malformed, done in self._rows():
            cells = {name: _cells([row.get(name) for row in rows]) for name in wanted}
            yield Chunk(cells, len(rows), malformed, done, total)

    def _rows(self) -> Iterator[tuple[list[dict[str, Any]], list[Malformed], int]]:
        rows: list[dict[str, Any]] = []
        malformed: list[Malformed] = []
        with self._file.lines() as (handle, position):
            for line in iter(partial(handle.readline, LONGEST), ""):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    row = None
                if isinstance(row, dict):
                    rows.append(row)
                else:
                    malformed.append(("not a JSON object", line[:LONGEST_LINE].encode(errors="replace").decode()))
                if len(rows) + len(malformed) >= BATCH_ROWS:
                    yield rows, malformed, position()
                    rows, malformed = [], []
            yield rows, malformed, position()


def _cells(values: list[Any]) -> Cells:
    try:
        return pa.array(values)
    except _MIXED:
        return values
