"""CSV as a table of a person's own: its first row are the names of the columns."""

from collections.abc import Collection, Iterator

import pyarrow as pa

from transforms.raw.files.table import Table
from transforms.raw.files.text import Text
from transforms.raw.importers.format import BATCH_ROWS
from transforms.raw.own_tables.source import Chunk


class CsvTable:
    """A CSV file with a header; see ``OwnTable``.

    Raises:
        InputError: two columns have the same name, or there is no header.
    """

    is_text, is_open_ended = True, False

    def __init__(self, text: Text) -> None:
        self._table = Table(text, header=True)
        self.place = text.member.place
        self.columns, self.decimal = self._table.columns, self._table.decimal
        self.description = f"CSV in {self._table.description}"

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[Chunk]:
        """Reads the rows; see ``OwnTable.chunks``. A row with more or fewer cells than the header is malformed."""
        wanted = self.columns if columns is None else list(columns)
        numbers = {name: self.columns.index(name) for name in wanted}
        total = self._table.text.member.size
        for batch in self._table.batches(BATCH_ROWS):
            arrays = {
                name: pa.array([row[number] for row in batch.rows], pa.string()) for name, number in numbers.items()
            }
            yield Chunk(arrays, len(batch.rows), batch.malformed, batch.done, total)
