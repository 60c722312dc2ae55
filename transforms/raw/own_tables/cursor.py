"""How far a query of a database was imported: the largest stored value of its cursor column."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from transforms.raw.own_tables.cells import plain
from transforms.raw.own_tables.request import TableRequest
from transforms.raw.own_tables.source import Cells, Chunk
from transforms.raw.own_tables.times import TimeForm, convert_times
from transforms.raw.table import CLOCK_TOLERANCE


class Cursor:
    """The place in the data folder where the value is kept, one file per database, query and cursor column.

    Attributes:
        value: the largest value whose row was stored, as a text that PostgreSQL reads; None at the beginning.
    """

    def __init__(self, home: Home, request: TableRequest) -> None:
        self._column = request.cursor
        self._about = {"database": request.place, "query": request.query.strip(), "cursor": request.cursor}
        digest = hashlib.sha256(json.dumps(self._about).encode()).hexdigest()[:16]
        self.path: Path = home.cursors(request.kind) / f"{digest}.json"
        self.value: str | None = None
        if self._column and self.path.is_file():
            self.value = self._read()

    def _read(self) -> str:
        try:
            return str(json.loads(self.path.read_text())["value"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                expected=f"the value of the cursor {self._column} in {self.path}",
                found="a file that cannot be read",
                next_command=f"rm {self.path}, then repeat the command: it reads all rows again and adds none twice",
            ) from error

    def check(self, columns: list[str], request: TableRequest) -> None:
        """Checks that the query has the cursor column.

        Raises:
            InputError: it does not.
        """
        if self._column and self._column not in columns:
            raise InputError(
                expected=f"the column {self._column!r}, which --cursor names, in the query",
                found=f"the columns {columns}",
                next_command=request.command(cursor="COLUMN"),
            )

    def advance(self, chunk: Chunk, fits: NDArray[np.bool_]) -> None:
        """Takes the last value of a chunk whose row fits.

        Rows come in the order of the cursor, which is that of the database: texts may be ordered otherwise here. A time
        in the future is no place to continue from, for all rows until then would be left out.

        Args:
            chunk: rows in the order of the cursor.
            fits: (rows,) whether a row is stored.
        """
        if not self._column:
            return
        cells = chunk.columns[self._column]
        rows = np.flatnonzero(fits & _usable(cells))
        if len(rows):
            self.value = _text(cells, int(rows[-1]))

    def save(self) -> None:
        """Writes the value; the rows up to it must be stored."""
        if not self._column or self.value is None:
            return
        write_whole(self.path, json.dumps({**self._about, "value": self.value}, indent=1))


def _usable(cells: Cells) -> NDArray[np.bool_]:
    """(rows,) whether a cell is a value to continue from."""
    if not isinstance(cells, pa.Array):
        return np.array([cell is not None and cell.is_finite() for cell in cells], bool)
    if not pa.types.is_timestamp(cells.type) and not pa.types.is_date(cells.type):
        return cells.is_valid().to_numpy(zero_copy_only=False)
    moments = pl.Series(convert_times(cells, TimeForm("timestamps")).values)
    return (moments <= datetime.now(UTC) + CLOCK_TOLERANCE).fill_null(False).to_numpy()


def _text(cells: Cells, row: int) -> str:
    """A value as PostgreSQL reads it."""
    cell = plain(cells)[row].as_py() if isinstance(cells, pa.Array) else cells[row]
    return str(cell)
