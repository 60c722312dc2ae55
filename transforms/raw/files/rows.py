"""Batches of what was read from a member."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import polars as pl

from feature_repo.errors import InputError

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


def batched(
    rows: Iterable[T | Malformed], size: int, total: int, position: Callable[[], int] = lambda: 0
) -> Iterator[RowBatch[T]]:
    """Yields rows in batches of up to ``size``; the last one may be empty.

    Args:
        rows: rows and malformed rows, in the order of the member.
        size: rows of a batch, malformed ones included.
        total: size of the member, which is read at the end.
        position: function that returns the bytes of it that are read so far.

    Raises:
        InputError: the rows break off; after those before that point.

    >>> batches = list(batched([1, 2, Malformed("no number", "x"), 4], size=3, total=9))
    >>> [(batch.rows, batch.malformed, batch.done) for batch in batches]
    [([1, 2], [Malformed(reason='no number', row='x')], 0), ([4], [], 9)]
    """
    batch: RowBatch[T] = RowBatch()
    try:
        for row in rows:
            if isinstance(row, Malformed):
                batch.malformed.append(row)
            else:
                batch.rows.append(row)
            if len(batch) >= size:
                batch.done = position()
                yield batch
                batch = RowBatch()
    except InputError:
        if len(batch):
            yield batch
        raise
    batch.done = total
    yield batch


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
