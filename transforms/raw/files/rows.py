"""Batches of what was read from a member."""

from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import polars as pl

T = TypeVar("T")

BATCH_ROWS = 50_000


class Malformed(NamedTuple):
    """A row that cannot be read.

    Attributes:
        reason: why.
        row: the row as it is written, at most 2,000 characters.
    """

    reason: str
    row: str


@dataclass
class RowBatch(Generic[T]):
    """Consecutive rows of a member.

    Attributes:
        rows: the rows that could be read.
        malformed: the others among them.
        done: bytes of the member that are read, out of ``Member.size``.
    """

    rows: list[T] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    done: int = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.malformed)


def frame(columns: list[str], rows: list[list[str]]) -> pl.DataFrame:
    """Rows of a table as columns of texts, for ``read_times``, ``read_numbers`` and what else polars does.

    >>> frame(["id", "title"], [["1", "a"], ["2", "b"]]).to_dict(as_series=False)
    {'id': ['1', '2'], 'title': ['a', 'b']}
    """
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    return pl.DataFrame([pl.Series(name, list(column), pl.String) for name, column in zip(columns, cells, strict=True)])


def duplicate(names: list[str]) -> str | None:
    """Returns the first name that occurs twice; None if there is none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
