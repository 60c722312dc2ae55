"""Arrow's file format, as blocks of events in the stream's log: the same as of Parquet."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from refrain.person.contents.parquet import parts_of
from refrain.person.contents.reader import Part, Reader


def _read(content: bytes, _path: Path | None) -> Iterator[Part]:
    table = pa.ipc.open_file(pa.py_buffer(content)).read_all()
    for name, column in zip(table.column_names, table.columns, strict=True):
        yield from parts_of(name, column)


ARROW = Reader("Arrow", lambda content: content[:6] == b"ARROW1", _read, is_complete=True)
