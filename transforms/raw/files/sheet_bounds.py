"""How much memory the sheets of a workbook (.xlsx) take, before they are read.

A workbook may be small and its sheet not: one cell in the last row and column makes a sheet of 17 billion cells, and a
text that is stored once may stand in a million cells. The reader of workbooks allocates all of it, and a process that
gets no memory ends without an error.
"""

import re
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from typing import IO

from transforms.raw.files.streams import BLOCK

MOST_BYTES = 512 << 20
"""Bytes of all parts when they are unpacked; and of the texts of one sheet."""

MOST_CELLS = 10_000_000
"""Cells of one sheet from its first filled row and column to its last ones, empty ones included."""

_WORKBOOK = "xl/workbook.xml"
_LAST_ROW, _LAST_COLUMN = 1 << 20, 1 << 14
_LONGEST_TAG, _TAIL = 1 << 20, 1 << 16
_CELL = re.compile(rb"<(?:\w+:)?(row|c)\b([^>]*)>(?:\s*<(?:\w+:)?v>\s*(\d{1,9})\s*<)?")
_PLACE = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]*)(\d*)""")
_IS_SHARED = re.compile(rb"""\bt\s*=\s*["']s["']""")
_SHARED = re.compile(rb"<(?:\w+:)?si\b|</(?:\w+:)?sst\b")
_BEGINNING = re.compile(rb"<(?:\w+:)?(?:row|c|si)\b|</(?:\w+:)?sst\b")


class TooLarge(Exception):
    """A workbook that takes too much memory; the message says what is too large."""


def check_bounds(archive: zipfile.ZipFile) -> None:
    """Checks how much memory the sheets of a workbook take; unpacks all of its parts once or twice.

    Raises:
        TooLarge: more than is permitted, or the workbook is of another kind than .xlsx.
        zipfile.BadZipFile: or another error of a damaged archive.

    >>> import io
    >>> buffer = io.BytesIO()
    >>> with zipfile.ZipFile(buffer, "w") as archive:
    ...     archive.writestr("xl/workbook.xml", "<workbook/>")
    ...     archive.writestr("xl/worksheets/sheet1.xml", '<c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c>')
    >>> check_bounds(zipfile.ZipFile(buffer))
    Traceback (most recent call last):
        ...
    transforms.raw.files.sheet_bounds.TooLarge: a sheet of 1,048,576 rows and 16,384 columns
    """
    parts = archive.infolist()
    if _WORKBOOK not in {part.filename for part in parts}:
        raise TooLarge("a workbook of another kind")
    total, texts = 0, list[list[int]]()
    for part in parts:
        with archive.open(part) as handle:
            sizes, size = _shared_sizes(handle, MOST_BYTES - total)
        total += size
        if sizes:
            texts.append(sizes)
    longest = max((max(sizes) for sizes in texts), default=0)
    shared = texts[0] if len(texts) == 1 else []
    for part in parts:
        with archive.open(part) as handle:
            _check_sheet(handle, shared, longest)


def _pieces(handle: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a part, divided before tags that count."""
    pending = b""
    while block := handle.read(BLOCK):
        pending += block
        last = max((match.start() for match in _BEGINNING.finditer(pending)), default=0)
        if not last and len(pending) > _LONGEST_TAG:
            if b">" not in pending[:_LONGEST_TAG] and _BEGINNING.match(pending):
                raise TooLarge("a tag of more than a megabyte")
            last = len(pending) - _TAIL
        yield pending[:last]
        pending = pending[last:]
    yield pending


def _shared_sizes(handle: IO[bytes], most: int) -> tuple[list[int], int]:
    """Bytes of each text that cells share, and of the whole part."""
    starts: list[int] = []
    size = 0
    for piece in _pieces(handle):
        starts += [size + match.start() for match in _SHARED.finditer(piece)]
        size += len(piece)
        if size > most:
            raise TooLarge(f"more than {MOST_BYTES:,} bytes when it is unpacked")
    starts.append(size)
    return [after - before for before, after in pairwise(starts)], size


def _check_sheet(handle: IO[bytes], shared: list[int], longest: int) -> None:
    """Checks the cells of a part.

    Args:
        handle: the part.
        shared: bytes of the texts that cells share, in their order; empty if they are not known.
        longest: bytes of the longest one.
    """
    row = column = size = 0
    first_row, first_column, last_row, last_column = _LAST_ROW, _LAST_COLUMN, 0, 0
    for piece in _pieces(handle):
        for match in _CELL.finditer(piece):
            tag, attributes, number = match.groups()
            place = _PLACE.search(attributes)
            letters, digits = place.groups() if place else (b"", b"")
            row = _row_of(digits) if digits else row + (tag == b"row")
            column = 0 if tag == b"row" else _column_of(letters) if letters else column + 1
            if tag == b"row" or attributes.endswith(b"/"):
                continue
            first_row, last_row = min(first_row, row), max(last_row, row)
            first_column, last_column = min(first_column, column), max(last_column, column)
            if _IS_SHARED.search(attributes):
                index = int(number) if number else -1
                size += shared[index] if 0 <= index < len(shared) else longest
        height, width = last_row - first_row + 1, last_column - first_column + 1
        if last_row > _LAST_ROW or last_column > _LAST_COLUMN or (height > 0 and height * width > MOST_CELLS):
            raise TooLarge(f"a sheet of {height:,} rows and {width:,} columns")
        if size > MOST_BYTES:
            raise TooLarge(f"a sheet with {size:,} bytes of text")


def _row_of(digits: bytes) -> int:
    return int(digits) if len(digits) <= 9 else _LAST_ROW + 1


def _column_of(letters: bytes) -> int:
    number = 0
    for letter in letters[:4].upper():
        number = number * 26 + letter - 64
    return number
