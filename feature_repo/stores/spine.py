"""The spine of a training set, whatever it comes as: its columns, its time, and its rows in order, some at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset

from feature_repo.errors import InputError
from feature_repo.stores.as_of import Integers
from feature_repo.stores.history import History, literal, quoted
from feature_repo.stores.staging import Staging

TIME = "event_timestamp"
"""What the column of the moments is called, unless just one column is a time."""

_EARLIEST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1_000_000
_NANOSECONDS = (np.iinfo(np.int64).min // 1000, np.iinfo(np.int64).max // 1000)

_KINDS = {
    "text": {"VARCHAR", "ENUM"},
    "whole number": {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
    | {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"},
    "number": {"FLOAT", "DOUBLE", "DECIMAL"},
    "time": {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "DATE"},
}


@dataclass(frozen=True)
class Spine:
    """Rows to be given features, in memory or in Parquet files.

    Attributes:
        table: the rows, or where they are.
        schema: of the columns.
        time: name of the column with the moments.
        staged: temporary files that live as long as the spine.
    """

    table: "pa.Table | pyarrow.dataset.Dataset"
    schema: pa.Schema
    time: str
    staged: Staging | None = field(default=None, repr=False, compare=False)

    @property
    def in_memory(self) -> bool:
        """Whether ``table`` is an Arrow table, not a dataset of files."""
        return isinstance(self.table, pa.Table)

    @property
    def rows(self) -> int:
        """How many."""
        return self.table.num_rows if isinstance(self.table, pa.Table) else self.table.count_rows()

    def bytes_a_row(self) -> float:
        """Of memory, about."""
        sample = self.table if isinstance(self.table, pa.Table) else self.table.head(10_000)
        return sample.nbytes / max(len(sample), 1)

    def time_range(self) -> tuple[datetime | None, datetime | None]:
        """First and last moment."""
        column = self.table[self.time] if isinstance(self.table, pa.Table) else self._times()
        microseconds, _, _ = moments(pa.table({self.time: column}), self.time)
        known = microseconds[microseconds != np.iinfo(np.int64).min]
        if not len(known):
            return None, None
        first, last = (
            datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(m)) for m in (known.min(), known.max())
        )
        return first, last

    def _times(self) -> pa.ChunkedArray:
        return self.table.to_table(columns=[self.time])[self.time]

    def chunks(self, rows: int) -> Iterator[pa.Table]:
        """The rows in order, so many at a time; one empty table if there are none."""
        if isinstance(self.table, pa.Table):
            for start in range(0, max(self.table.num_rows, 1), rows):
                yield self.table.slice(start, rows)
            return
        kept: list[pa.RecordBatch] = []
        size, nothing = 0, True
        for batch in self.table.scanner(batch_size=min(rows, 131_072), batch_readahead=2).to_batches():
            while size + len(batch) >= rows:
                kept.append(batch.slice(0, rows - size))
                batch = batch.slice(rows - size)  # noqa: PLW2901
                yield pa.Table.from_batches(kept, self.schema)
                kept, size, nothing = [], 0, False
            if len(batch):
                kept.append(batch)
                size += len(batch)
        if kept or nothing:
            yield pa.Table.from_batches(kept, self.schema)


def open_spine(given: Any, *, temp_directory: str | None = None) -> Spine:
    """Take a spine as it comes.

    Args:
        given: a pandas, polars (lazy or not) or Arrow table, the path of a Parquet file or folder, or an SQL query
            for DuckDB.
        temp_directory: where the answer of a query is kept; the system's if None.

    Raises:
        InputError: there is no such file, the query fails, or no column tells the time.
    """
    if isinstance(given, Spine):
        return given
    staged = None
    if isinstance(given, str):
        staged = Staging(temp_directory)
        given = _answer(given, staged.folder / "spine.parquet")
    if type(given).__module__.startswith("polars"):
        given = (given.collect() if hasattr(given, "collect") else given).to_arrow()
    if type(given).__module__.startswith("pandas"):
        given = _from_pandas(given)
    if isinstance(given, Path):
        given = _files(given)
    if not isinstance(given, pa.Table | pyarrow.dataset.Dataset):
        raise InputError(
            expected="a spine: a pandas, polars or Arrow table, the path of a Parquet file, or an SQL query",
            found=f"a {type(given).__name__}",
            next_command="spine = pyarrow.table({'user_id': […], 'event_timestamp': […]})",
        )
    return Spine(given, given.schema, _time_column(given.schema), staged)


def _from_pandas(frame: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(
            expected="one type in each column of the spine",
            found=str(error).splitlines()[0],
            next_command="spine.astype({'user_id': str}), or whatever the column should be",
        ) from error


def _answer(query: str, target: Path) -> Path:
    with duckdb.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        try:
            connection.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet)")
        except duckdb.Error as error:
            raise InputError(
                expected="a spine as an SQL query that DuckDB can answer, or a pathlib.Path",
                found=f"{str(error).splitlines()[0]} in {query!r}",
                next_command="SELECT user_id, event_timestamp FROM 'spine.parquet'",
            ) from error
    return target


def _files(path: Path) -> pyarrow.dataset.Dataset:
    try:
        return pyarrow.dataset.dataset(path, format="parquet")
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            expected=f"a spine in Parquet at {path}",
            found=str(error).splitlines()[0],
            next_command=f"ls {path.parent}",
        ) from error


def _time_column(schema: pa.Schema) -> str:
    if TIME in schema.names:
        return TIME
    times = [item.name for item in schema if pa.types.is_timestamp(item.type)]
    if len(times) == 1:
        return times[0]
    raise InputError(
        expected=f"a spine with the column {TIME!r}",
        found=f"{len(times)} columns of times among {schema.names}",
        next_command=f"rename the column of the moments to {TIME!r}",
    )


def moments(chunk: pa.Table, time: str) -> tuple[Integers, Integers, bool]:
    """The moments of some rows as nanoseconds or microseconds since 1970, UTC.

    Args:
        chunk: of the spine.
        time: the column: timestamps of any unit, dates, or texts in ISO 8601; without a zone they are UTC.

    Returns:
        Microseconds (rows,), rounded down; the nanoseconds beyond them (rows,); and True if any of those is not
        zero. A null moment is the lowest integer.

    Raises:
        InputError: it is not a time, or not one between the years 1 and 9999.
    """
    column = chunk[time]
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us") if column.type == pa.date64() else pa.timestamp("s"))
    if not pa.types.is_timestamp(column.type):
        column = _parsed(column, time)
    unit = column.type.unit
    whole = column.cast(pa.int64())
    lowest = np.iinfo(np.int64).min
    is_null = whole.is_null().to_numpy()
    values = whole.fill_null(0).to_numpy()
    beyond = np.zeros(len(values), dtype=np.int64)
    if unit == "ns":
        values, beyond = np.divmod(values, 1000)
    scale = {"s": 1_000_000, "ms": 1000}.get(unit, 1)
    if len(values):
        first, last = int(values.min()) * scale, int(values.max()) * scale
        if first < _EARLIEST or last > _LATEST:
            raise InputError(
                expected=f"times between the years 1 and 9999 in the spine's {time!r}",
                found=f"{first if first < _EARLIEST else last} microseconds after 1970",
                next_command=f"check the unit of {time!r}: seconds, milliseconds and microseconds differ by 1000",
            )
    return np.where(is_null, lowest, values * scale), np.where(is_null, 0, beyond), bool(beyond.any())


def _parsed(column: pa.ChunkedArray, time: str) -> pa.ChunkedArray:
    import pandas as pd

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        try:
            parsed = pd.to_datetime(pd.Series(column.to_pylist(), dtype=object), utc=True, format="ISO8601")
            return pa.chunked_array([pa.array(parsed)])
        except (ValueError, OverflowError) as error:
            found = str(error).splitlines()[0]
    elif pa.types.is_null(column.type):
        return column.cast(pa.timestamp("us", "UTC"))
    else:
        found = f"the type {column.type}"
    raise InputError(
        expected=f"times in the spine's column {time!r}",
        found=found,
        next_command=f"cast {time!r} to a timestamp in UTC",
    )


def in_unit(microseconds: Integers, beyond: Integers, unit: str) -> Integers:
    """Moments as integers of a unit; times that nanoseconds cannot hold become their first or last."""
    if unit == "us":
        return microseconds
    held = np.clip(microseconds, *_NANOSECONDS) * 1000
    return held + beyond


def key_expressions(schema: Mapping[str, str], history: History) -> tuple[str, ...]:
    """SQL that gives each join key of a spine the type of the history's column; null where it cannot be equal.

    Args:
        schema: DuckDB types of the spine's columns.
        history: whose keys are joined.

    Raises:
        InputError: the spine lacks a key, or has it in a type that can never be equal.
    """
    expressions = []
    for key, column in history.keys.items():
        if key not in schema:
            raise InputError(
                expected=f"a spine with the join key {key!r} of the view {history.view}",
                found=f"{list(schema)}",
                next_command=f"rename or add {key!r} in the spine",
            )
        have, want = schema[key], history.types[column]
        expression = _converted(quoted(key), have, want)
        if expression is None:
            raise InputError(
                expected=f"{key!r} as {want} in the spine, as in the view {history.view} (column {column!r})",
                found=f"{have}",
                next_command=f"cast the spine's {key!r} to the type of the view's",
            )
        expressions.append(expression)
    return tuple(expressions)


def _converted(name: str, have: str, want: str) -> str | None:
    if have == want:
        return name
    if have == "NULL":
        return f"NULL::{want}"
    kinds = (_kind(have), _kind(want))
    if kinds[0] == kinds[1] or kinds in {("text", "UUID"), ("UUID", "text")}:
        return f"TRY_CAST({name} AS {want})"
    if kinds in (("number", "whole number"), ("whole number", "number")):  # only where nothing is lost on the way
        return f"CASE WHEN TRY_CAST(TRY_CAST({name} AS {want}) AS {have}) = {name} THEN TRY_CAST({name} AS {want}) END"
    return None


def _kind(dtype: str) -> str:
    base = dtype.split("(", maxsplit=1)[0]
    return next((kind for kind, members in _KINDS.items() if base in members), dtype)


def key_codes(
    connection: duckdb.DuckDBPyConnection, spine: str, names: Sequence[str], expressions: Sequence[str], codes: str
) -> Integers:
    """Number the distinct keys of a spine in their order, and say which number each row has.

    Args:
        connection: that knows the spine.
        spine: its table, with a column ``row``.
        names: of the join keys; none of them is null in a row that has a key.
        expressions: one for each key.
        codes: name of the table to make: the keys and ``code``.

    Returns:
        (rows,), -1 where a key is null.
    """
    if not names:
        connection.execute(f"CREATE OR REPLACE TABLE {codes} AS SELECT 0::INTEGER AS code")
        return np.zeros(connection.execute(f"SELECT count(*) FROM {spine}").fetchall()[0][0], dtype=np.int64)
    keyed = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in zip(names, expressions, strict=True))
    listed = ", ".join(quoted(name) for name in names)
    present = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in names)
    connection.execute(
        f"CREATE OR REPLACE TABLE {codes} AS SELECT {listed}, (row_number() OVER (ORDER BY {listed}) - 1)::INTEGER"
        f" AS code FROM (SELECT DISTINCT {keyed} FROM {spine}) WHERE {present}"
    )
    answer = connection.execute(
        f"SELECT s.row, c.code FROM (SELECT row, {keyed} FROM {spine}) s JOIN {codes} c USING ({listed})"
    ).to_arrow_table()
    result = np.full(connection.execute(f"SELECT count(*) FROM {spine}").fetchall()[0][0], -1, dtype=np.int64)
    result[answer["row"].to_numpy()] = answer["code"].to_numpy()
    return result


def decoded(chunk: pa.Table, names: Sequence[str]) -> pa.Table:
    """Some columns, dictionaries resolved, and the number of each row as ``row``."""
    columns = {}
    for name in names:
        column = chunk[name]
        columns[name] = pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column
    return pa.table({**columns, "row": np.arange(len(chunk))})
