"""The spine of a training set, whatever it comes as: its columns, its time, and its rows in order, some at a time."""

from collections.abc import Callable, Iterator
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

from feature_repo import iso8601
from feature_repo.errors import InputError
from feature_repo.stores.as_of import LOWEST, Integers
from feature_repo.stores.history import History, literal
from feature_repo.stores.history_reader import CODE
from feature_repo.stores.key_series import key_series
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
        given = _from_polars(given.collect() if hasattr(given, "collect") else given)
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
    repeated = sorted({name for name in given.schema.names if given.schema.names.count(name) > 1})
    if repeated:
        raise InputError(
            expected="one column of each name in the spine",
            found=f"several columns {', '.join(map(repr, repeated))}",
            next_command=f"rename or leave out a column {repeated[0]!r}",
        )
    return Spine(given, given.schema, _time_column(given.schema), staged)


def _from_polars(frame: pl.DataFrame) -> pa.Table:
    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    table = frame.drop(objects).to_arrow()
    for name in objects:  # of which polars gives addresses
        try:
            table = table.add_column(frame.columns.index(name), name, [pa.array(frame[name].to_list())])
        except pa.ArrowException as error:
            raise _no_one_type(error) from error
    return table


def _from_pandas(frame: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    except (pa.ArrowException, ValueError) as error:  # a ValueError for columns of one name
        raise _no_one_type(error) from error


def _no_one_type(error: Exception) -> InputError:
    return InputError(
        expected="columns of different names in the spine, each of one type",
        found=str(error).splitlines()[0],
        next_command="spine.astype({'user_id': str}), or whatever the column should be",
    )


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
    if pa.types.is_null(column.type):
        return column.cast(pa.timestamp("us", "UTC"))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return pa.chunked_array([instants(pl.Series(time, column), time).to_arrow()])
    raise _not_a_time(time, f"the type {column.type}")


def instants(texts: pl.Series, time: str) -> pl.Series:
    """Texts in ISO 8601 as instants; see ``feature_repo.iso8601``.

    Args:
        texts: (rows,); without an offset they are UTC.
        time: name of the column, for messages.

    Returns:
        (rows,) in microseconds, UTC, what is beyond them cut off; null where the text is null.

    Raises:
        InputError: a text is not ISO 8601, such as ``03/04/2026``, which may be in March or in April.
    """
    parts = texts.str.extract_groups(iso8601.PATTERN).struct.unnest()
    day, clock, seconds, fraction, offset = parts.get_columns()
    local = (day + " " + clock.fill_null("00:00") + ":" + seconds.fill_null("00")).str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False
    )
    micros = fraction.fill_null("0").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64)
    east = {one: _minutes(one) for one in offset.unique().drop_nulls()}
    minutes = offset.replace_strict(east, default=None, return_dtype=pl.Int64)
    known = offset.is_null() | minutes.is_not_null()
    found = (local.to_physical() + micros - minutes.fill_null(0) * 60_000_000).set(~known, None)
    found = found.set((found < _EARLIEST) | (found > _LATEST), None)
    wrong = texts.filter(found.is_null() & texts.is_not_null())
    if wrong.len():
        raise _not_a_time(time, f"{wrong[0][:60]!r}")
    return found.cast(pl.Datetime("us", "UTC")).alias(texts.name)


def _minutes(offset: str) -> int | None:
    try:
        return iso8601.offset_minutes(offset)
    except ValueError:
        return None


def _not_a_time(time: str, found: str) -> InputError:
    return InputError(
        expected=f"times (timestamps, or texts in {iso8601.EXAMPLES}) in the spine's column {time!r}",
        found=found,
        next_command=f"write {time!r} in ISO 8601, or cast it to a timestamp in UTC",
    )


def key_columns(keys: pl.DataFrame, history: History) -> pl.DataFrame:
    """The join keys of a view, from columns of a spine, in the types of the history's columns.

    Args:
        keys: columns of the spine, those of the view's keys among them.
        history: whose keys are joined.

    Returns:
        (rows,) the keys of the view; null where a key is missing, or where the history's type cannot hold it.

    Raises:
        InputError: a value, or a column's type, cannot be such a key (``feature_repo.keys``).
    """
    columns = []
    for key, column in history.keys.items():
        wanted, dtype = history.types[column], history.key_types.get(column)
        if dtype is not None:
            columns.append(key_series(keys[key], dtype, key))
            continue
        is_same = keys.schema[key] == wanted and not wanted.is_temporal()
        columns.append(keys[key] if is_same else _as_stored(keys[key], wanted, key))
    return pl.DataFrame(columns)


def _as_stored(key: pl.Series, wanted: pl.DataType, name: str) -> pl.Series:
    """A key in the type of a column of a history; what that type cannot hold is null."""
    dtype = next((dtype for is_kind, dtype in _DECLARED if is_kind(wanted)), None)
    if dtype is None:
        raise InputError(
            expected=f"a history with the join key {name!r} as text, whole number, bytes, time or boolean",
            found=f"{wanted}",
            next_command="write the column as text, and declare its entity so",
        )
    converted = key_series(key, dtype, name)
    if isinstance(wanted, pl.Datetime):
        there = converted.cast(pl.Datetime(wanted.time_unit, "UTC"), strict=False)
        there = there.set(there.cast(converted.dtype) != converted, None)
        return there.dt.convert_time_zone(wanted.time_zone) if wanted.time_zone else there.dt.replace_time_zone(None)
    if wanted == pl.Date:
        there = converted.dt.date()
        return there.set(there.cast(converted.dtype) != converted, None)
    there = converted.cast(wanted, strict=False)
    return there.set(there.cast(converted.dtype, strict=False) != converted, None) if wanted.is_numeric() else there


_DECLARED: tuple[tuple[Callable[[pl.DataType], bool], str], ...] = (
    (lambda dtype: dtype == pl.String, "String"),
    (lambda dtype: dtype.is_numeric(), "Int64"),
    (lambda dtype: dtype == pl.Binary, "Bytes"),
    (lambda dtype: dtype.is_temporal(), "UnixTimestamp"),
    (lambda dtype: dtype == pl.Boolean, "Bool"),
)


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
