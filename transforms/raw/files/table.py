"""Rows of a delimited text, also as Excel writes it: quoted line breaks, a first line ``sep=;``, a header or none."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import IO

from feature_repo.errors import InputError
from transforms.raw.files import delimiter as delimiters
from transforms.raw.files.rows import BATCH_ROWS, Malformed, RowBatch, batched, duplicate
from transforms.raw.files.text import LONGEST_LINE, Text, encodable, storable

LONGEST_CELL = 1 << 20
"""Characters of the longest cell; a quote that is still open then is not the beginning of a cell."""

QUOTE = "a quote that is not closed, or text after a closing one"
"""Reason why a line is malformed."""

_SAMPLE = 1 << 16
_FIRST_ROWS = 20
_HINT = "sep="
"""First line by which Excel is told the delimiter: ``sep=;``."""

_VALUE = re.compile(r"^[+-]?\d[\d.,:/ TZ+-]*$|^\d{1,2} [A-Za-z]{3,9} \d{4}\b.*$")
"""A number, a date or a time, which is no name of a column."""


class Table:
    """A delimited text.

    Attributes:
        columns: names of the columns without spaces around them; ``column_3`` for a third one without a name.
        delimiter: what separates the cells.
        has_header: whether the first row are the names.
        decimal: the character between a number and its fraction where the file does not show another: a comma, unless
            that separates the cells.
        description: encoding and delimiter, in words.

    Args:
        text: the member.
        delimiter: what separates the cells; by default it is recognized.
        header: whether the first row are the names; by default it is recognized: among names there is no number, no
            time, and no empty cell above filled ones but in the first column.
        quoted: whether a cell may be in double quotes; if not, a quote is a letter like others.

    Raises:
        InputError: two columns have the same name, or there is no row.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from transforms.raw.files.members import single
    >>> from transforms.raw.files.text import recognize
    >>> path = Path(tempfile.mkdtemp()) / "plays.csv"
    >>> _ = path.write_text('id; title \\n1;"a;b"\\n2\\n')
    >>> table = Table(recognize(single(path)))
    >>> table.columns, [(batch.rows, batch.malformed) for batch in table.batches()]
    (['id', 'title'], [([['1', 'a;b']], [Malformed(reason='1 cells instead of 2', row='2')])])
    """

    def __init__(
        self, text: Text, *, delimiter: str | None = None, header: bool | None = None, quoted: bool = True
    ) -> None:
        self.text, self._place = text, text.member.place
        with text.open() as (handle, _):
            sample = handle.read(_SAMPLE)
        first = (sample.splitlines() or [""])[0].strip()
        self._has_hint = first.lower().startswith(_HINT) and len(first) == len(_HINT) + 1
        self.delimiter = delimiter or (first[-1] if self._has_hint else delimiters.recognize(sample))
        self._is_quoted = quoted and len(self.delimiter) == 1
        self.decimal = "." if self.delimiter == "," else ","
        name = delimiters.DELIMITERS.get(self.delimiter, repr(self.delimiter))
        self.description = f"{text.description}, delimiter {name}"
        rows, (reason, line) = self._first_rows()
        if not rows and header is not False:
            raise self._no_header(f"{reason}: {line[:60]!r}" if line else reason)
        row = rows[0] if rows else []
        self.has_header = _are_names(row, rows[1:]) if header is None else header
        names = [encodable(cell.strip()) if self.has_header else "" for cell in row]
        self.columns = [name or f"column_{number}" for number, name in enumerate(names, 1)]
        if repeated := duplicate(self.columns):
            raise InputError(
                expected=f"a name of its own for every column of {self._place}",
                found=f"two columns with the name {storable(repr(repeated))}",
                next_command=f"rename one of them in the first line of {self._place}, then repeat the command",
            )

    def batches(self, size: int = BATCH_ROWS) -> Iterator[RowBatch[list[str]]]:
        """Yields the rows in batches of up to ``size``; each has a cell for every column.

        A row with more or fewer cells is malformed, unless the further cells are empty. Empty lines are left out.

        Raises:
            InputError: the member breaks off; after the rows before that point.
        """
        with self.text.open() as (handle, position):
            yield from batched(self._checked(handle), size, self.text.member.size, position)

    def _checked(self, handle: IO[str]) -> Iterator[list[str] | Malformed]:
        """The rows below the header that are not empty, each with a cell for every column, or malformed."""
        width, is_header = len(self.columns), self.has_header
        for row, malformed in self._rows(handle):
            if row is None:
                yield malformed
            elif any(row):
                if not is_header:
                    yield self._fitting(row, width)
                is_header = False

    def _fitting(self, row: list[str], width: int) -> list[str] | Malformed:
        if len(row) > width and not any(row[width:]):
            row = row[:width]
        if len(row) != width:
            return Malformed(f"{len(row)} cells instead of {width}", storable(self.delimiter.join(row)))
        if self.text.has_damage and not _is_text(row):
            reason = f"bytes that are not {self.text.encoding.upper()}"
            return Malformed(reason, storable(self.delimiter.join(row)))
        return row

    def _first_rows(self) -> tuple[list[list[str]], Malformed]:
        """The first rows, and the first line if that is none."""
        with self.text.open() as (handle, _):
            items = (item for item in self._rows(handle) if item[0] is None or any(item[0]))
            first = list(islice(items, _FIRST_ROWS))
        row, malformed = first[0] if first else (None, Malformed("no line", ""))
        return ([] if row is None else [row for row, _ in first if row is not None]), malformed

    def _rows(self, handle: IO[str]) -> Iterator[tuple[list[str] | None, Malformed]]:
        lines = islice(iter(partial(handle.readline, LONGEST_LINE), ""), int(self._has_hint), None)
        if self._is_quoted:
            return iter(_QuotedRows(lines, self.delimiter))
        return ((line.rstrip("\r\n").split(self.delimiter), Malformed("", "")) for line in lines)

    def _no_header(self, found: str) -> InputError:
        return InputError(
            expected=f"a line with the names of the columns, and rows, in {self._place}",
            found=storable(found),
            next_command=f"correct the first line of {self._place}, then repeat the command",
        )


class _QuotedRows:
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

    def _reader(self) -> Iterator[list[str]]:
        csv.field_size_limit(LONGEST_CELL)
        return csv.reader(self._next_lines(), delimiter=self._delimiter, strict=True)

    def __iter__(self) -> Iterator[tuple[list[str] | None, Malformed]]:
        reader = self._reader()
        while True:
            self._record.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                line, *swallowed = self._record
                self._again.extendleft(reversed(swallowed))
                reader = self._reader()  # the iterator of lines may have come to its end
                yield None, Malformed(QUOTE, storable(line.rstrip("\r\n")))
                continue
            yield row, Malformed("", "")


def _are_names(row: list[str], others: list[list[str]]) -> bool:
    """Whether a first row are names of columns."""
    filled = {number for other in others for number, cell in enumerate(other) if cell.strip()}
    cells = [cell.strip() for cell in row]
    return not any(_VALUE.match(cell) or (not cell and number in filled - {0}) for number, cell in enumerate(cells))


def _is_text(row: list[str]) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return False
    return True
