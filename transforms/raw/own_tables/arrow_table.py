"""Tables with types of their own: Parquet and Arrow IPC (Feather)."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pyarrow as pa

from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from transforms.raw.files.rows import duplicate
from transforms.raw.files.streams import damaged
from transforms.raw.importers.format import BATCH_ROWS
from transforms.raw.own_tables.source import Chunk

Batches = Callable[[list[str]], Iterator[tuple[pa.RecordBatch, float]]]
"""Names of columns → batches of these columns, each with the share of the source that is read then."""

UNREADABLE = (pa.ArrowException, OSError, EOFError)


class ArrowTable:
    """A file of Arrow's types; see ``OwnTable``.

    Args:
        path: the file.
        description: its format.
        schema: its columns.
        batches: reads it.

    Raises:
        InputError: two columns have the same name.
    """

    is_text, is_open_ended, decimal = False, False, "."

    def __init__(self, path: Path, description: str, schema: pa.Schema, batches: Batches) -> None:
        self._path, self._batches = path, batches
        self.place, self.description = str(path), description
        self.columns = list(schema.names)
        repeated = duplicate(self.columns)
        if repeated is not None:
            raise InputError(
                expected=f"a name of its own for every column of {path}",
                found=f"two columns with the name {repeated!r}",
                next_command=f"rename one of them, write {path} again, then repeat the command",
            )

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[Chunk]:
        """Reads the rows; see ``OwnTable.chunks``."""
        wanted = self.columns if columns is None else list(columns)
        try:
            for batch, done in self._batches(wanted):
                yield from chunks_of(batch, wanted, done, 1)
        except UNREADABLE as error:
            raise damaged(self._path, first_line(error)) from error


def chunks_of(batch: pa.RecordBatch, columns: list[str], done: float, total: float) -> Iterator[Chunk]:
    """Yields the rows of a batch in chunks of at most ``BATCH_ROWS``."""
    for start in range(0, batch.num_rows, BATCH_ROWS):
        part = batch.slice(start, BATCH_ROWS)
        yield Chunk({name: part.column(name) for name in columns}, part.num_rows, [], done, total)


def open_parquet(path: Path) -> ArrowTable:
    """Opens a Parquet file.

    Raises:
        InputError: the file is truncated or damaged.
    """
    try:
        schema = parquet_files.schema(path)
    except UNREADABLE as error:
        raise damaged(path, f"a Parquet file that is cut short or damaged: {first_line(error)}") from error

    def batches(columns: list[str]) -> Iterator[tuple[pa.RecordBatch, float]]:
        with parquet_files.open_file(path) as file:
            rows, total = 0, max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                rows += batch.num_rows
                yield batch, rows / total

    return ArrowTable(path, "Parquet", schema, batches)


def open_ipc(path: Path, *, stream: bool) -> ArrowTable:
    """Opens a file of Arrow IPC: the file format (Feather), or the stream format.

    Raises:
        InputError: the file is truncated or damaged.
    """

    def batches(columns: list[str]) -> Iterator[tuple[pa.RecordBatch, float]]:
        with pa.memory_map(str(path)) as file:
            size = max(file.size(), 1)
            if stream:
                for batch in pa.ipc.open_stream(file):
                    yield batch.select(columns), file.tell() / size
                return
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                yield batch.select(columns), (number + 1) / reader.num_record_batches

    try:
        with pa.memory_map(str(path)) as file:
            schema = (pa.ipc.open_stream(file) if stream else pa.ipc.open_file(file)).schema
    except UNREADABLE as error:
        raise damaged(path, f"an Arrow file that is cut short or damaged: {first_line(error)}") from error
    return ArrowTable(path, "Arrow IPC stream" if stream else "Arrow IPC (Feather)", schema, batches)


def first_line(error: BaseException) -> str:
    """The first line of an error of another library, shortened."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
