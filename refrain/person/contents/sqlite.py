"""SQLite: the values of each column of each table. Free pages are found in the bytes of the file itself."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from refrain.person.contents.reader import Part, Reader, values_part


def read(content: bytes, path: Path | None) -> Iterator[Part]:
    """Yields the values of one column after another; a database beside its log is read with it."""
    with tempfile.TemporaryDirectory(prefix="refrain-scan-") as scratch:
        if path is None:
            path = Path(scratch) / "database"
            path.write_bytes(content)
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            database.text_factory = bytes
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                name = table.decode()
                quoted = name.replace('"', '""')
                cursor = database.execute(f'SELECT * FROM "{quoted}"')
                columns = [str(description[0]) for description in cursor.description]
                rows = cursor.fetchall()
                for number, column in enumerate(columns):
                    values = {row[number] for row in rows if row[number] is not None}
                    texts = [value if isinstance(value, bytes) else str(value) for value in values]
                    yield values_part(f"table {name}, column {column}", texts, key=column)
                    yield from _blobs(f"table {name}, column {column}", values)


def _blobs(place: str, values: set[object]) -> Iterator[Part]:
    """The values that may be files of another format."""
    for value in values:
        if isinstance(value, bytes) and len(value) > 100:
            yield Part(place, value)


SQLITE = Reader("SQLite", lambda content: content[:16] == b"SQLite format 3\0", read)
