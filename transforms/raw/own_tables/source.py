"""What every reader of tables gives: names of columns, and chunks of rows in bounded memory."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from transforms.raw.files.rows import Malformed

Cells: TypeAlias = pa.Array | list[Any]
"""(rows,) cells of one column: an Arrow array, or values of Python where their types are mixed."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a table.

    Attributes:
        columns: name of the column → its cells.
        rows: number of rows.
        malformed: lines between them that could not be read as rows.
        done: amount of the source that is read, out of ``total`` in the same unit.
        total: size of the source; 0 if it is unknown.
    """

    columns: dict[str, Cells]
    rows: int
    malformed: list[Malformed] = field(default_factory=list)
    done: float = 0
    total: float = 0


class OwnTable(Protocol):
    """A table that was recognized.

    Attributes:
        place: the file or the database, for messages.
        description: format, encoding and delimiter, in words.
        columns: names of the columns, in order.
        is_text: whether all cells are texts, so that an empty one is missing and types follow from the cells.
        is_open_ended: whether later rows may have columns that ``columns`` lacks.
        decimal: the character between a number and its fraction in texts.
    """

    place: str
    description: str
    columns: list[str]
    is_text: bool
    is_open_ended: bool
    decimal: str

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[Chunk]:
        """Reads the table from its beginning, or, with a database, further from the first chunk.

        Args:
            columns: names of the columns to read; all if None.

        Raises:
            InputError: the source broke off or is damaged.
        """
        ...
