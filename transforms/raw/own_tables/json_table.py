"""JSON as a table of a person's own: one object a line, or an array of objects."""

import itertools
import shlex
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa

from feature_repo.errors import InputError
from transforms.raw.files.records import records
from transforms.raw.files.rows import RowBatch
from transforms.raw.files.text import Text
from transforms.raw.importers.format import BATCH_ROWS
from transforms.raw.own_tables.source import Cells, Chunk

_MIXED = (pa.ArrowException, OverflowError)
"""Errors of Arrow about values that have no common type."""


class JsonTable:
    """JSON lines, or an array; see ``OwnTable``. Its columns are those of the first chunk.

    Raises:
        InputError: no element of the first chunk is an object.
    """

    is_text, is_open_ended, decimal = False, True, "."

    def __init__(self, text: Text, is_array: bool) -> None:
        self._member = text.member
        self.place = text.member.place
        self.description = f"JSON {'array' if is_array else 'lines'} in {text.description}"
        first: RowBatch[dict[str, Any]] = next(records(self._member, size=BATCH_ROWS), RowBatch())
        if not first.rows:
            path = shlex.quote(str(text.member.path))
            raise InputError(
                expected=f"one JSON object a line in {self.place}",
                found=f"{first.malformed[0].row[:60]!r}" if first.malformed else "no line",
                next_command=f"jq -c . {path} > rows.jsonl, then import rows.jsonl",
            )
        self.columns = list(dict.fromkeys(itertools.chain.from_iterable(first.rows)))

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[Chunk]:
        """Reads the rows; see ``OwnTable.chunks``. An element that is not a JSON object is malformed."""
        wanted = self.columns if columns is None else list(columns)
        for batch in records(self._member, size=BATCH_ROWS):
            cells = {name: _cells([row.get(name) for row in batch.rows]) for name in wanted}
            yield Chunk(cells, len(batch.rows), batch.malformed, batch.done, self._member.size)


def _cells(values: list[Any]) -> Cells:
    try:
        return pa.array(values)
    except _MIXED:
        return values
