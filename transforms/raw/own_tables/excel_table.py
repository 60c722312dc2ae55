"""A sheet of an Excel workbook as a table of a person's own: its first row are the names of the columns."""

from collections.abc import Collection, Iterator

import pyarrow as pa

from transforms.raw.files.members import Member
from transforms.raw.files.sheet import Sheet
from transforms.raw.importers.format import BATCH_ROWS
from transforms.raw.own_tables.source import Chunk


class ExcelTable:
    """The first sheet of a workbook (.xlsx); see ``OwnTable``.

    Raises:
        InputError: the workbook is damaged or too large, two columns have the same name, there is no header, or the
            extra ``excel`` is missing.
    """

    is_text, is_open_ended, decimal = True, False, "."

    def __init__(self, member: Member) -> None:
        self._member, sheet = member, Sheet(member)
        self.place, self.columns = member.place, sheet.columns
        others = len(sheet.sheets) - 1
        self.description = sheet.description + (f", the first of {others + 1}" if others else "")

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[Chunk]:
        """Reads the rows; see ``OwnTable.chunks``. Cells behind the last named column are ignored."""
        wanted = self.columns if columns is None else list(columns)
        numbers = {name: self.columns.index(name) for name in wanted}
        for batch in Sheet(self._member).batches(BATCH_ROWS):
            arrays = {
                name: pa.array([row[number] if number < len(row) else "" for row in batch.rows], pa.string())
                for name, number in numbers.items()
            }
            yield Chunk(arrays, len(batch.rows), batch.malformed, batch.done, self._member.size)
