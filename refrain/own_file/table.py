"""A person's own file as columns of cells, with the format in which it was read."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow as pa

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from transforms.raw.files.rows import Malformed
from transforms.raw.own_tables.cells import NUMBER, Form, convert, plain
from transforms.raw.own_tables.files import open_table
from transforms.raw.own_tables.source import Cells, Chunk

MOST_ROWS = 30_000_000
"""Largest number of rows that are held in memory."""


@dataclass(frozen=True)
class Numbers:
    """A column as numbers.

    Attributes:
        values: (rows,) float64; null where a cell is empty or no finite number.
        refused: number of cells that are neither empty nor a finite number.
        example: one of these cells with the reason; empty if there is none.
    """

    values: pl.Series
    refused: int
    example: str


@dataclass(frozen=True)
class OwnFile:
    """A file that was read whole.

    Attributes:
        path: the file.
        description: format, encoding and delimiter, in words.
        cells: column → (rows,) cells as they are written.
        rows: number of rows.
        malformed: lines that could not be read as rows.
        is_text: whether all cells are texts, so that an empty one is missing.
        decimal: the character between a number and its fraction in texts.
    """

    path: Path
    description: str
    cells: dict[str, Cells]
    rows: int
    malformed: list[Malformed]
    is_text: bool = False
    decimal: str = "."

    @classmethod
    def read(cls, path: Path, *, progress: Progress = silent) -> "OwnFile":
        """Reads a file.

        Args:
            path: a file that ``refrain import table`` reads.
            progress: callback of the progress.

        Raises:
            InputError: the file is absent, empty, damaged or no table; two columns have one name; it has no rows, too
                many, or no names of columns.
        """
        table = open_table(path)
        _check_header(path, table.columns, table.is_text)
        chunks: list[Chunk] = []
        rows = 0
        for chunk in table.chunks():
            chunks.append(chunk)
            rows += chunk.rows
            progress(chunk.done, chunk.total, f"{rows:,} rows read")
            if rows > MOST_ROWS:
                raise InputError(
                    expected=f"a table of at most {MOST_ROWS:,} rows",
                    found=f"more in {path}",
                    next_command="refrain init FOLDER --events FILE --key COLUMN  (a project reads any number of rows)",
                )
        malformed = [line for chunk in chunks for line in chunk.malformed]
        if not rows:
            raise InputError(
                expected=f"rows in {path}",
                found=f"none; {malformed[0].reason}" if malformed else "the names of columns alone",
                next_command="write the table again, then repeat the command",
            )
        cells = {name: _joined([chunk.columns[name] for chunk in chunks]) for name in table.columns}
        return cls(path, table.description, cells, rows, malformed, table.is_text, table.decimal)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.cells)

    @cached_property
    def lines(self) -> list[str]:
        """What was read, for a terminal."""
        lines = [f"{self.path}: {self.description}, {self.rows:,} rows, {len(self.columns)} columns"]
        if self.malformed:
            lines.append(f"not read: {len(self.malformed):,} lines, such as {self.malformed[0].reason}")
        return lines

    def texts(self, column: str) -> pl.Series:
        """The cells of a column as (rows,) texts without spaces around them; null where one is missing."""
        cells = self.cells[column]
        if isinstance(cells, list):
            series = pl.Series([None if cell is None else str(cell) for cell in cells], dtype=pl.String)
        elif pa.types.is_string(plain(cells).type):
            series = pl.Series(plain(cells))
        elif pa.types.is_boolean(cells.type):
            series = pl.Series(["true" if cell else None if cell is None else "false" for cell in cells.to_pylist()])
        else:
            series = pl.Series(plain(cells))
            if series.dtype.is_float():
                whole = series.cast(pl.Int64, strict=False)
                is_whole = (whole.cast(pl.Float64) == series).fill_null(False)
                series = whole.cast(pl.String).zip_with(is_whole, series.fill_nan(None).cast(pl.String))
            elif series.dtype.is_nested() or series.dtype == pl.Binary:
                series = pl.Series([None if cell is None else str(cell) for cell in series.to_list()], dtype=pl.String)
        stripped = series.cast(pl.String).str.strip_chars().alias(column)
        return stripped.set(stripped == "", None)

    def numbers(self, column: str) -> Numbers:
        """The cells of a column as numbers; a decimal comma counts where it occurs beside no thousands."""
        cells = self.cells[column]
        converted = convert(cells, "Float64", self._form(cells))
        example = ""
        if converted.refused:
            row = min(converted.refused)
            example = f"{str(self.texts(column)[row])[:40]!r} in row {row + 1:,}: {converted.refused[row]}"
        return Numbers(pl.Series(column, converted.values), len(converted.refused), example)

    def is_numeric(self, column: str) -> bool:
        """Whether a column has numbers, and no other text."""
        cells = self.cells[column]
        if not isinstance(cells, list) and pa.types.is_boolean(plain(cells).type):
            return False
        numbers = self.numbers(column)
        return not numbers.refused and numbers.values.null_count() < self.rows

    def _form(self, cells: Cells) -> Form:
        is_array = isinstance(cells, pa.Array) and pa.types.is_string(plain(cells).type)
        if not is_array or self.decimal != ",":
            return Form(self.is_text)
        texts = pl.Series(plain(cells)).str.strip_chars()  # type: ignore[arg-type]
        has_comma = texts.str.contains(r"^-?[0-9]+,([0-9]{1,2}|[0-9]{4,})$").any()
        return Form(self.is_text, "," if has_comma else ".")


def _check_header(path: Path, columns: list[str], is_text: bool) -> None:
    """Refuses a first row of numbers, which are values and no names."""
    if is_text and columns and pl.Series(columns).str.strip_chars().str.contains(NUMBER).all():
        raise InputError(
            expected=f"a first row with the names of the columns in {path}",
            found=f"the numbers {', '.join(columns[:4])}",
            next_command="write a first line with names, such as: sed -i '1i user,item,time' FILE",
        )


def _joined(parts: list[Cells]) -> Cells:
    """The cells of a column in all chunks; values of Python if their types differ."""
    arrays = [plain(part) for part in parts if isinstance(part, pa.Array)]
    if len(arrays) == len(parts):
        kinds = {array.type for array in arrays if not pa.types.is_null(array.type)}
        if len(kinds) <= 1:
            kind = next(iter(kinds), pa.null())
            return pa.concat_arrays([array.cast(kind) for array in arrays])
    return [cell for part in parts for cell in (part.to_pylist() if isinstance(part, pa.Array) else part)]
