"""Rows of a sheet of an Excel workbook (.xlsx), as texts."""

import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from feature_repo.errors import InputError
from feature_repo.extras import install_command
from transforms.raw.files.members import Member
from transforms.raw.files.rows import BATCH_ROWS, RowBatch, batched, duplicate
from transforms.raw.files.sheet_bounds import MOST_BYTES, MOST_CELLS, TooLarge, check_bounds
from transforms.raw.files.streams import UNREADABLE, damaged
from transforms.raw.files.text import storable


class Sheet:
    """A sheet, with the interface of ``Table``: its first row are the names of the columns, all cells are texts.

    Attributes:
        columns: names of the columns.
        sheets: names of all sheets of the workbook.

    Args:
        member: the workbook.
        name: the sheet; by default the first one.

    Raises:
        InputError: there is no such sheet, the workbook is damaged or too large, or the extra ``excel`` is missing.

    >>> Sheet(member, "10_listeningHistory").columns[:2]  # doctest: +SKIP
    ['Song Title', 'Artist']
    """

    decimal = "."

    def __init__(self, member: Member, name: str = "") -> None:
        self.member = member
        book = _opened(member)
        self.sheets: list[str] = list(book.sheet_names)
        if not self.sheets or (name and name not in self.sheets):
            raise InputError(
                expected=f"a sheet {name or 'with rows'} in {member.place}",
                found=f"the sheets {', '.join(storable(repr(sheet)) for sheet in self.sheets) or 'none'}",
                next_command=f"open {member.path} and look at its sheets",
            )
        self.name = name or self.sheets[0]
        self.description = f"Excel workbook, sheet {self.name}"
        try:
            self._cells = iter(book.get_sheet_by_name(self.name).to_python())
        except BaseException as error:
            _raise_if_meant_to_end(error)
            raise damaged(member.place, f"a workbook whose sheet {self.name} cannot be read: {error}") from error
        header: list[Any] = next((row for row in self._cells if any(cell != "" for cell in row)), [])
        names = [_as_text(cell).strip() for cell in header]
        self.columns = [name or f"column_{number}" for number, name in enumerate(names, 1)]
        if not header or duplicate(self.columns):
            raise InputError(
                expected=f"a first row with a name for every column in {self.description} of {member.place}",
                found=f"two columns with the name {duplicate(self.columns)!r}" if header else "an empty sheet",
                next_command=f"open {member.path} and look at the sheet",
            )

    def batches(self, size: int = BATCH_ROWS) -> Iterator[RowBatch[list[str]]]:
        """Yields the rows once, in batches of up to ``size``; times are in ISO 8601, empty rows are left out."""
        rows = ([_as_text(cell) for cell in cells] for cells in self._cells)
        yield from batched((row for row in rows if any(row)), size, self.member.size)


def _opened(member: Member) -> Any:
    try:
        from python_calamine import CalamineWorkbook
    except ImportError as error:
        raise InputError(
            expected="the extra excel, which reads workbooks",
            found=f"{member.place}, and no package python-calamine",
            next_command=f"{install_command('excel')}, or save the sheet as CSV",
        ) from error
    data = _bounded(member)
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except BaseException as error:
        _raise_if_meant_to_end(error)
        raise damaged(member.place, f"no readable workbook: {error}") from error


def _raise_if_meant_to_end(error: BaseException) -> None:
    """Raises what ends a process; a panic of the reader, which is no ``Exception`` either, is none of it."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise error


def _bounded(member: Member) -> bytes:
    """The bytes of a workbook, after a look at how much memory its sheets take.

    Raises:
        InputError: it is damaged, too large, or of another kind.
    """
    with member.open() as handle:
        data = handle.read(MOST_BYTES + 1)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_bounds(archive)
    except TooLarge as error:
        raise InputError(
            expected=f"a workbook (.xlsx) of at most {MOST_BYTES >> 20:,} MB, whose sheets have at most "
            f"{MOST_CELLS:,} cells",
            found=f"{error}: {member.place}",
            next_command="save the sheet as CSV, then import that",
        ) from error
    except (*UNREADABLE, RuntimeError, ValueError) as error:
        raise damaged(member.place, f"no readable workbook: {error}") from error
    return data


def _as_text(cell: Any) -> str:
    match cell:
        case bool():
            return str(cell).lower()
        case float() if cell.is_integer() and abs(cell) < 2**53:
            return str(int(cell))
        case datetime():
            return cell.isoformat(" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell.total_seconds())
    return str(cell)
