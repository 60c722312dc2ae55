"""CSV, also as Excel writes it: any usual delimiter, quoted line breaks, a first line ``sep=;``."""

import csv
from collections import deque
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from typing import IO

import pyarrow as pa

from feature_repo.errors import InputError
from transforms.raw.importers.format import BATCH_ROWS
from transforms.raw.own_tables import delimiter as delimiters
from transforms.raw.own_tables.source import LONGEST_LINE, Chunk, Malformed, duplicate
from transforms.raw.own_tables.text_files import TextFile

LONGEST_CELL = 1 << 20
"""Characters of the longest cell; a quote that is still open then is not the beginning of a cell."""

_SAMPLE = 1 << 16
_LONGEST_LINE = 1 << 24
_HINT = "sep="
"""First line by which Excel is told the delimiter: ``sep=;``."""


class CsvTable:
    """A CSV file with a header; see ``OwnTable``.

    Raises:
        InputError: two columns have the same name, or there is no header.
    """

    is_text, is_open_ended = True, False

    def __init__(self, file: TextFile) -> None:
        self._file = file
        self.place = str(file.path)
        with file.lines() as (handle, _):
            head = handle.read(_SAMPLE)
        first = (head.splitlines() or [""])[0].strip()
        self._has_hint = first.lower().startswith(_HINT) and len(first) == len(_HINT) + 1
        self._delimiter = first[-1] if self._has_hint else delimiters.recognize(head)
        name = delimiters.DELIMITERS.get(self._delimiter, repr(self._delimiter))
        self.decimal = "." if self._delimiter == "," else ","
        self.description = f"CSV in {file.description}, delimiter {name}"
        self.columns = self._header()

    def _header(self) -> list[str]:
        with self._file.lines() as (handle, _):
            rows = _Rows(self._lines(handle), self._delimiter)
            first, raw = next((item for item in rows if item[0] is None or any(item[0])), ([], ("no line", "")))
        if not first:
            raise InputError(
                expected=f"a line with the names of the columns, and rows, in {self.place}",
                found=f"{raw[0]}: {raw[1][:60]!r}" if raw[1] else raw[0],
                next_command=f"correct the first line of {self.place}, then repeat the command",
            )
        names = [cell.strip() or f"column_{number}" for number, cell in enumerate(first, 1)]
        repeated = duplicate(names)
        if repeated is not None:
            raise InputError(
                expected=f"a name of its own for every column of {self.place}",
                found=f"two columns with the name {repeated!r}",
                next_command=f"rename one of them in the first line of {self.place}, then repeat the command",
            )
        return names

    def _lines(self, handle: IO[str]) -> Iterator[str]:
        return islice(iter(partial(handle.readline, _LONGEST_LINE), ""), int(self._has_hint), None)

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[Chunk]:
        """Reads the rows; see ``OwnTable.chunks``. A row with more or fewer cells than the header is malformed."""
        wanted = self.columns if columns is None else list(columns)
        width, total = len(self.columns), self._file.path.stat().st_size
        rows: list[list[str]] = []
        malformed: list[Malformed] = []
        with self._file.lines() as (handle, position):
            is_header = True
            for row, raw in _Rows(self._lines(handle), self._delimiter):
                if row is None:
                    malformed.append(raw)
                elif not any(row):
                    continue
                elif is_header:
                    is_header = False
                elif len(row) == width or (len(row) > width and not any(row[width:])):
                    rows.append(row[:width])
                else:
                    malformed.append((f"{len(row)} cells instead of {width}", self._delimiter.join(row)))
                if len(rows) + len(malformed) >= BATCH_ROWS:
                    yield self._chunk(rows, malformed, wanted, position(), total)
                    rows, malformed = [], []
            yield self._chunk(rows, malformed, wanted, total, total)

    def _chunk(
        self, rows: list[list[str]], malformed: list[Malformed], wanted: list[str], done: int, total: int
    ) -> Chunk:
        whole = [(why, _whole(line)) for why, line in malformed]
        try:
            arrays = self._arrays(rows, wanted)
        except UnicodeEncodeError:
            reason = f"bytes that are not {self._file.encoding.upper()}"
            whole += [(reason, _whole(self._delimiter.join(row))) for row in rows if not _is_text(row)]
            rows = [row for row in rows if _is_text(row)]
            arrays = self._arrays(rows, wanted)
        return Chunk(arrays, len(rows), whole, done, total)

    def _arrays(self, rows: list[list[str]], wanted: list[str]) -> dict[str, pa.Array]:
        numbers = {name: self.columns.index(name) for name in wanted}
        return {name: pa.array([row[number] for row in rows], pa.string()) for name, number in numbers.items()}


class _Rows:
    """Iterates over rows of cells; a line that is not a row comes as None with the reason and the line.

    A quote that has no end costs its own line only: the lines that it swallowed are read again.
    """

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self._lines, self._again = lines, deque[str]()
        self._record: list[str] = []
        self._delimiter = delimiter

    def _next_lines(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._record.append(line)
            yield line

    def __iter__(self) -> Iterator[tuple[list[str] | None, Malformed]]:
        csv.field_size_limit(LONGEST_CELL)
        reader = csv.reader(self._next_lines(), delimiter=self._delimiter, strict=True)
        while True:
            self._record.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                line, *swallowed = self._record
                self._again.extendleft(reversed(swallowed))
                # the iterator of lines may have come to its end
                reader = csv.reader(self._next_lines(), delimiter=self._delimiter, strict=True)
                yield None, ("a quote that is not closed, or text after a closing one", line.rstrip("\r\n"))
                continue
            yield row, ("", "")


def _is_text(row: list[str]) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(line: str) -> str:
    """A line as it can be stored: not too long, and without what UTF-8 does not have."""
    return line[:LONGEST_LINE].encode(errors="replace").decode()
