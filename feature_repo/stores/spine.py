"""The spine of a training set, whatever it comes as: its columns, its time, and its rows in order, some at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
from numpy.typing import NDArray

from feature_repo.errors import InputError
from feature_repo.stores.as_of import LOWEST, Integers
from feature_repo.stores.history import History, comparable, literal
from feature_repo.stores.history_reader import CODE
from feature_repo.stores.staging import Staging

TIME = "event_timestamp"
"""What the column of the moments is called, unless just one column is a time."""

_EARLIEST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 1_000_000 + 999_999


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
        microseconds = moments(pa.table({self.time: column}), self.time)
        known = microseconds[microseconds != LOWEST]
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
        for batch in self._batches(min(rows, 131_072)):
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

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """File by file, without the readahead of a dataset's scanner, which would end up holding all of it."""
        for file in self.table.files:
            with pq.ParquetFile(file, pre_buffer=False) as source:
                for batch in source.iter_batches(rows):
                    yield batch if batch.schema.equals(self.schema) else batch.cast(self.schema)


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


def moments(chunk: pa.Table, time: str) -> Integers:
    """The moments of some rows as microseconds since 1970, UTC, rounded down.

    Args:
        chunk: of the spine.
        time: the column: timestamps of any unit, dates, or texts in ISO 8601; without a zone they are UTC.

    Returns:
        (rows,); the lowest integer where the moment is null.

    Raises:
        InputError: it is not a time, or not one between the years 1 and 9999.
    """
    column = chunk[time]
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us") if column.type == pa.date64() else pa.timestamp("s"))
    if not pa.types.is_timestamp(column.type):
        column = _parsed(column, time)
    whole = column.cast(pa.int64())
    is_null = whole.is_null().to_numpy()
    values = whole.fill_null(0).to_numpy()
    if column.type.unit == "ns":
        values = values // 1000
    scale = {"s": 1_000_000, "ms": 1000}.get(column.type.unit, 1)
    if len(values):
        first, last = int(values.min()) * scale, int(values.max()) * scale
        if first < _EARLIEST or last > _LATEST:
            raise InputError(
                expected=f"times between the years 1 and 9999 in the spine's {time!r}",
                found=f"{first if first < _EARLIEST else last} microseconds after 1970",
                next_command=f"check the unit of {time!r}: seconds, milliseconds and microseconds differ by 1000",
            )
    return np.where(is_null, LOWEST, values * scale)


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


def key_expressions(schema: Mapping[str, pl.DataType], history: History) -> tuple[pl.Expr, ...]:
    """Each join key of a spine in the type of the history's column; null where it cannot be equal to any.

    Args:
        schema: types of the spine's columns.
        history: whose keys are joined.

    Raises:
        InputError: the spine has a key in a type that can never be equal.
    """
    expressions = []
    for key, column in history.keys.items():
        expression = _converted(pl.col(key), schema[key], comparable(history.types[column]))
        if expression is None:
            raise InputError(
                expected=f"{key!r} as {history.types[column]} in the spine, as in the view {history.view}",
                found=f"{schema[key]}",
                next_command=f"cast the spine's {key!r} to the type of the view's",
            )
        expressions.append(expression)
    return tuple(expressions)


def _converted(key: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr | None:
    if have == want:
        return key
    if have == pl.Null:
        return pl.lit(None, want).alias(key.meta.output_name())
    if isinstance(have, pl.Categorical | pl.Enum) and want == pl.String:
        return key.cast(pl.String)
    if have.is_numeric() and want.is_numeric():
        there = key.cast(want, strict=False)  # only where nothing is lost on the way
        return pl.when(there.cast(have, strict=False) == key).then(there)
    if isinstance(have, pl.Datetime | pl.Date) and isinstance(want, pl.Datetime):
        time = key.cast(pl.Datetime("ns" if getattr(have, "time_unit", "us") == "ns" else "us", _zone(have)))
        time = time.dt.replace_time_zone("UTC") if _zone(have) is None else time.dt.convert_time_zone("UTC")
        there = time.cast(pl.Datetime(want.time_unit, "UTC"))
        equal = pl.when(there.cast(pl.Datetime("ns", "UTC")) == time.cast(pl.Datetime("ns", "UTC"))).then(there)
        return equal.dt.convert_time_zone(want.time_zone) if want.time_zone else equal.dt.replace_time_zone(None)
    return None


def _zone(dtype: pl.DataType) -> str | None:
    return getattr(dtype, "time_zone", None)


def key_codes(keys: pl.DataFrame, is_asked: NDArray[np.bool_]) -> tuple[pl.DataFrame, Integers]:
    """Number the distinct keys of a spine in their order.

    Args:
        keys: (rows,) the join keys, of which there may be none; a row in which one is null has no key.
        is_asked: (rows,) false for rows that ask for nothing, having no moment. A key of those alone has no number.

    Returns:
        The distinct keys and their ``CODE``, and the code of each row (rows,), -1 where it has no key or asks for
        nothing.
    """
    if not keys.width:
        return pl.DataFrame({CODE: [0]}, schema={CODE: pl.Int32}), np.where(is_asked, 0, -1)
    asked = keys if is_asked.all() else keys.filter(pl.Series(is_asked))
    distinct = asked.unique().drop_nulls().sort(keys.columns)
    codes = distinct.with_columns(pl.int_range(distinct.height, dtype=pl.Int32).alias(CODE))
    of_row = keys.join(codes, on=keys.columns, how="left", maintain_order="left")[CODE]
    numbers = of_row.fill_null(-1).to_numpy().astype(np.int64)
    return codes, np.where(is_asked, numbers, -1)
