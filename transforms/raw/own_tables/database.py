"""A query of PostgreSQL as a table, streamed by ADBC in Arrow batches."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pyarrow as pa

from feature_repo.errors import InputError
from transforms.raw.files.rows import duplicate
from transforms.raw.own_tables.arrow_table import UNREADABLE, chunks_of, first_line
from transforms.raw.own_tables.request import TableRequest, without_password
from transforms.raw.own_tables.source import Cells, Chunk

SCHEMES = ("postgresql://", "postgres://")


class QueryTable:
    """The rows of a query, read once, in order of the cursor column if there is one; see ``OwnTable``.

    Attributes:
        last: value of the cursor from which the query continues; None from the beginning.
    """

    is_text, is_open_ended, decimal = False, False, "."

    def __init__(self, request: TableRequest, reader: pa.RecordBatchReader, last: str | None) -> None:
        self._request, self._reader, self.last = request, reader, last
        self.place = request.place
        from_value = "" if last is None else f", from {request.cursor} = {last}"
        self.description = f"a query of PostgreSQL{from_value}"
        self.columns = list(reader.schema.names)
        repeated = duplicate(self.columns)
        if repeated is not None:
            raise InputError(
                expected="a name of its own for every column of the query",
                found=f"two columns with the name {repeated!r}",
                next_command="name one of them with AS in the query, then repeat the command",
            )

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[Chunk]:
        """Reads the rows that follow; see ``OwnTable.chunks``.

        Raises:
            InputError: the database went away.
        """
        wanted = self.columns if columns is None else list(columns)
        try:
            for batch in self._reader:
                for chunk in chunks_of(batch, wanted, 0, 0):
                    cells = {name: _plain(values) for name, values in chunk.columns.items()}
                    yield Chunk(cells, chunk.rows)
        except UNREADABLE as error:
            raise InputError(
                expected=f"the rows of the query to their end, from {self.place}",
                found=f"an answer that broke off: {without_password(first_line(error))}",
                next_command=f"{self._request.command()}  (it continues, and adds no row twice)",
            ) from error


def _plain(cells: Cells) -> Cells:
    """Replaces types that PostgreSQL alone has: numeric as decimal numbers of Python, others as their texts."""
    if not isinstance(cells, pa.ExtensionArray):
        return cells
    if isinstance(cells.type, pa.OpaqueType) and cells.type.type_name == "numeric":
        return [None if text is None else Decimal(text) for text in cells.storage.to_pylist()]
    is_uuid = isinstance(cells.type, pa.UuidType)
    return cells if is_uuid else cells.storage


@contextmanager
def open_query(request: TableRequest, last: str | None = None) -> Iterator[QueryTable]:
    """Runs a query and yields its rows as a table.

    Args:
        request: address of the database, query and cursor.
        last: value of the cursor from which the query continues, as a text; None from the beginning. Rows with this
            very value are read again: others with it may have been added.

    Raises:
        InputError: the database does not answer, or refuses the query.
    """
    if not request.sql.startswith(SCHEMES):
        raise InputError(
            expected="--sql with an address of PostgreSQL such as postgresql://user@host/database",
            found=repr(without_password(request.sql)),
            next_command=request.command(sql="postgresql://user@host/database"),
        )
    from adbc_driver_manager import Error
    from adbc_driver_postgresql import dbapi

    try:
        with dbapi.connect(request.sql, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")  # an import changes no database
            cursor.execute(statement(request.query, request.cursor, last))
            yield QueryTable(request, cursor.fetch_record_batch(), last)
    except Error as error:
        raise InputError(
            expected=f"an answer of {request.place} to the query",
            found=without_password(" ".join(str(error).split())[:300]),
            next_command=request.command(),
        ) from error


def statement(query: str, cursor: str = "", last: str | None = None) -> str:
    """Returns a query whose rows come in order of a cursor column, from a value on.

    >>> statement("SELECT * FROM orders;", "at", "2026-01-05")
    'SELECT * FROM (\\nSELECT * FROM orders\\n) AS rows WHERE "at" >= \\'2026-01-05\\' ORDER BY "at"'
    """
    plain = query.strip().rstrip(";")
    if not cursor:
        return f"{plain}\n"  # which ends a comment
    column = '"' + cursor.replace('"', '""') + '"'
    # a literal without a type takes that of the column
    later = "" if last is None else f" WHERE {column} >= '" + last.replace("'", "''") + "'"
    return f"SELECT * FROM (\n{plain}\n) AS rows{later} ORDER BY {column}"
