"""Rows of a Parquet file, in bounded memory; one in an archive, or packed, is unpacked to a temporary file first."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import polars as pl
import pyarrow as pa

from feature_repo.encryption import parquet_files
from transforms.raw.files.members import Member
from transforms.raw.files.rows import BATCH_ROWS
from transforms.raw.files.streams import BLOCK, damaged

MAGIC = b"PAR1"
_UNREADABLE = (pa.ArrowException, OSError, EOFError, ValueError, pl.exceptions.PanicException)


def is_parquet(member: Member) -> bool:
    """Whether a member begins as a Parquet file.

    Raises:
        InputError: the member cannot be opened.
    """
    with member.open() as handle:
        return handle.read(len(MAGIC)) == MAGIC


class Parquet:
    """A Parquet file.

    Attributes:
        columns: names of the columns.

    Args:
        member: the file.

    Raises:
        InputError: it is cut short or damaged.

    >>> Parquet(member).columns  # doctest: +SKIP
    ['uid', 'item_id']
    """

    def __init__(self, member: Member) -> None:
        self.member = member
        with self._opened() as file:
            self.columns: list[str] = list(file.schema_arrow.names)

    def batches(self, columns: Sequence[str], size: int = BATCH_ROWS) -> Iterator[tuple[pl.DataFrame, int]]:
        """Yields up to ``size`` rows of some columns at a time, and the bytes of the member that are read then.

        Raises:
            InputError: it is damaged; after the rows before that point.
        """
        with self._opened() as file:
            rows, total = 0, max(file.metadata.num_rows, 1)
            batches = file.iter_batches(size, columns=list(columns))
            while True:
                try:
                    batch = next(batches, None)
                    if batch is None:
                        return
                    batch.validate(full=True)  # polars takes texts as they are
                    table = pl.from_arrow(pa.table(batch.columns, names=batch.schema.names))  # no metadata
                except _UNREADABLE as error:
                    raise damaged(self.member.place, f"damaged rows: {_first_line(error)}") from error
                rows += batch.num_rows
                yield pl.DataFrame(table), self.member.size * rows // total

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        with tempfile.TemporaryFile() as copy, self._seekable(copy) as handle:
            try:
                file = parquet_files.open_content(handle)
            except _UNREADABLE as error:
                found = f"a Parquet file that is cut short or damaged: {_first_line(error)}"
                raise damaged(self.member.place, found) from error
            with file:
                yield file

    @contextmanager
    def _seekable(self, copy: IO[bytes]) -> Iterator[IO[bytes]]:
        if self.member.place == str(self.member.path) and self.member.path.suffix == ".parquet":
            with self.member.path.open("rb") as handle:
                yield handle
            return
        with self.member.open() as source:
            while block := source.read(BLOCK):
                copy.write(block)
        copy.seek(0)
        yield copy


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
