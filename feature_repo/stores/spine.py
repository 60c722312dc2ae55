"""Opens the spine of a training set from any supported source, and reads it in chunks."""

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
from numpy.typing import NDArray

from feature_repo import iso8601
from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from feature_repo.stores.as_of import LOWEST, Integers
from feature_repo.stores.history import History, literal
from feature_repo.stores.history_reader import CODE
from feature_repo.stores.key_series import key_series
from feature_repo.stores.staging import Staging

TIME = "event_timestamp"
"""Name of the moment column. A spine with exactly one timestamp column may name it differently."""

_EARLIEST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 1_000_000 + 999_999


@dataclass(frozen=True)
class Spine:
    """The rows that features are joined to, in memory or in Parquet files.

    Attributes:
        table: the rows as an Arrow table, or the dataset of files that holds them.
        schema: Arrow schema of the rows.
        time: name of the column with the moments.
        staged: temporary files that are removed together with the spine.
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
        """Number of rows."""
        return self.table.num_rows if isinstance(self.table, pa.Table) else self.table.count_rows()

    def bytes_a_row(self) -> float:
        """Estimated memory of one row, in bytes."""
        sample = self.table if isinstance(self.table, pa.Table) else self.table.head(10_000)
        return sample.nbytes / max(len(sample), 1)

    def time_range(self) -> tuple[datetime | None, datetime | None]:
        """First and last moment; None for both if no row has one."""
        column = self.table[self.time] if isinstance(self.table, pa.Table) else self._times()
        microseconds = moments(pa.table({self.time: column}), self.time)
        valid = microseconds[microseconds != LOWEST]
        if not len(valid):
            return None, None
        first, last = (
            datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment))
            for moment in (valid.min(), valid.max())
        )
        return first, last

    def _times(self) -> pa.ChunkedArray:
        return self.table.to_table(columns=[self.time])[self.time]

    def chunks(self, rows: int) -> Iterator[pa.Table]:
        """Yields the rows in order, ``rows`` at a time; one empty table if the spine is empty."""
        if isinstance(self.table, pa.Table):
            for start in range(0, max(self.table.num_rows, 1), rows):
                yield self.table.slice(start, rows)
            return
        batches: list[pa.RecordBatch] = []
        size, is_first = 0, True
        for batch in self._batches(min(rows, 131_072)):
            while size + len(batch) >= rows:
                batches.append(batch.slice(0, rows - size))
                batch = batch.slice(rows - size)  # noqa: PLW2901
                yield pa.Table.from_batches(batches, self.schema)
                batches, size, is_first = [], 0, False
            if len(batch):
                batches.append(batch)
                size += len(batch)
        if batches or is_first:
            yield pa.Table.from_batches(batches, self.schema)

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Yields batches file by file. A dataset's scanner would read ahead until it held the whole spine."""
        for file in self.table.files:
            with parquet_files.open_file(file, pre_buffer=False) as source:
                for batch in source.iter_batches(rows):
                    yield batch if batch.schema.equals(self.schema) else batch.cast(self.schema)


def open_spine(source: Any, *, temp_directory: str | None = None) -> Spine:
    """Opens a spine from any supported source.

    Args:
        source: a pandas, polars (lazy or not) or Arrow table, the path of a Parquet file or folder, or an SQL query
            for DuckDB.
        temp_directory: folder for the result of a query; the system's temporary folder if None.

    Raises:
        InputError: the file does not exist, the query fails, or there is no moment column.
    """
    if isinstance(source, Spine):
        return source
    staged = None
    if isinstance(source, str):
        staged = Staging(temp_directory)
        source = _run_query(source, staged.folder / "spine.parquet")
    if type(source).__module__.startswith("polars"):
        source = _from_polars(source.collect() if hasattr(source, "collect") else source)
    if type(source).__module__.startswith("pandas"):
        source = _from_pandas(source)
    if isinstance(source, Path):
        source = _open_dataset(source)
    if not isinstance(source, pa.Table | pyarrow.dataset.Dataset):
        raise InputError(
            expected="a spine: a pandas, polars or Arrow table, the path of a Parquet file, or an SQL query",
            found=f"a {type(source).__name__}",
            next_command="spine = pyarrow.table({'user_id': […], 'event_timestamp': […]})",
        )
    duplicates = sorted({name for name in source.schema.names if source.schema.names.count(name) > 1})
    if duplicates:
        raise InputError(
            expected="one column of each name in the spine",
            found=f"several columns {', '.join(map(repr, duplicates))}",
            next_command=f"rename or leave out a column {duplicates[0]!r}",
        )
    return Spine(source, source.schema, _time_column(source.schema), staged)


def _from_polars(frame: pl.DataFrame) -> pa.Table:
    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    table = frame.drop(objects).to_arrow()
    for name in objects:  # polars exports these as memory addresses
        try:
            table = table.add_column(frame.columns.index(name), name, [pa.array(frame[name].to_list())])
        except pa.ArrowException as error:
            raise _mixed_types_error(error) from error
    return table


def _from_pandas(frame: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    except (pa.ArrowException, ValueError) as error:  # a ValueError for duplicate column names
        raise _mixed_types_error(error) from error


def _mixed_types_error(error: Exception) -> InputError:
    return InputError(
        expected="columns of different names in the spine, each of one type",
        found=str(error).splitlines()[0],
        next_command="spine.astype({'user_id': str}), or whatever the column should be",
    )


def _run_query(query: str, target: Path) -> Path:
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


def _open_dataset(path: Path) -> pyarrow.dataset.Dataset:
    try:
        return parquet_files.dataset(path)
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
    """Reads the moments of a chunk as microseconds since 1970 UTC, rounded down.

    Args:
        chunk: rows of the spine.
        time: name of the moment column: timestamps of any unit, dates, or texts in ISO 8601. UTC if without a zone.

    Returns:
        (rows,); the lowest integer where the moment is null.

    Raises:
        InputError: a value is not a time, or is not between the years 1 and 9999.
    """
    column = chunk[time]
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us") if column.type == pa.date64() else pa.timestamp("s"))
    if not pa.types.is_timestamp(column.type):
        column = _parse_times(column, time)
    ticks = column.cast(pa.int64())
    is_null = ticks.is_null().to_numpy()
    values = ticks.fill_null(0).to_numpy()
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


def _parse_times(column: pa.ChunkedArray, time: str) -> pa.ChunkedArray:
    if pa.types.is_null(column.type):
        return column.cast(pa.timestamp("us", "UTC"))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return pa.chunked_array([instants(pl.Series(time, column), time).to_arrow()])
    raise _time_error(time, f"the type {column.type}")


def instants(texts: pl.Series, time: str) -> pl.Series:
    """Parses texts in ISO 8601 as instants; see ``feature_repo.iso8601``.

    Args:
        texts: (rows,) times; UTC if without an offset.
        time: name of the column, for messages.

    Returns:
        (rows,) timestamps in microseconds, UTC; finer digits are cut off. Null where the text is null.

    Raises:
        InputError: a text is not ISO 8601, such as ``03/04/2026``, which may be in March or in April.
    """
    parsed = parse_instants(texts)
    invalid = texts.filter(parsed.is_null() & texts.is_not_null())
    if invalid.len():
        raise _time_error(time, f"{invalid[0][:60]!r}")
    return parsed


def parse_instants(texts: pl.Series) -> pl.Series:
    """Parses texts as ``instants`` does; a text that is not ISO 8601 becomes null."""
    parts = texts.str.extract_groups(iso8601.PATTERN).struct.unnest()
    day, clock, seconds, fraction, offset = parts.get_columns()
    local_times = (day + " " + clock.fill_null("00:00") + ":" + seconds.fill_null("00")).str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False
    )
    micros = fraction.fill_null("0").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64)
    minutes_by_offset = {text: _offset_minutes(text) for text in offset.unique().drop_nulls()}
    minutes = offset.replace_strict(minutes_by_offset, default=None, return_dtype=pl.Int64)
    is_valid_offset = offset.is_null() | minutes.is_not_null()
    parsed = (local_times.to_physical() + micros - minutes.fill_null(0) * 60_000_000).set(~is_valid_offset, None)
    parsed = parsed.set((parsed < _EARLIEST) | (parsed > _LATEST), None)
    return parsed.cast(pl.Datetime("us", "UTC")).alias(texts.name)


def _offset_minutes(offset: str) -> int | None:
    try:
        return iso8601.offset_minutes(offset)
    except ValueError:
        return None


def _time_error(time: str, found: str) -> InputError:
    return InputError(
        expected=f"times (timestamps, or texts in {iso8601.EXAMPLES}) in the spine's column {time!r}",
        found=found,
        next_command=f"write {time!r} in ISO 8601, or cast it to a timestamp in UTC",
    )


def key_columns(keys: pl.DataFrame, history: History) -> pl.DataFrame:
    """Converts the join keys of a spine to the types of a view's key columns.

    Args:
        keys: columns of the spine, including the view's join keys.
        history: the history that is joined.

    Returns:
        (rows,) keys of the view; null where a key is missing or does not fit the history's type.

    Raises:
        InputError: a value or a column's type cannot be converted to the key's type (``feature_repo.keys``).
    """
    columns = []
    for key, column in history.keys.items():
        stored_type, declared_type = history.types[column], history.key_types.get(column)
        if declared_type is not None:
            columns.append(key_series(keys[key], declared_type, key))
            continue
        is_same = keys.schema[key] == stored_type and not stored_type.is_temporal()
        columns.append(keys[key] if is_same else _as_stored(keys[key], stored_type, key))
    return pl.DataFrame(columns)


def _as_stored(key: pl.Series, stored_type: pl.DataType, name: str) -> pl.Series:
    """Converts a key to the type of a history's column; null where that type cannot hold the value."""
    declared_type = next((declared_type for is_kind, declared_type in _DECLARED_TYPES if is_kind(stored_type)), None)
    if declared_type is None:
        raise InputError(
            expected=f"a history with the join key {name!r} as text, whole number, bytes, time or boolean",
            found=f"{stored_type}",
            next_command="write the column as text, and declare its entity so",
        )
    converted = key_series(key, declared_type, name)
    if isinstance(stored_type, pl.Datetime):
        stored = converted.cast(pl.Datetime(stored_type.time_unit, "UTC"), strict=False)
        stored = stored.set(stored.cast(converted.dtype) != converted, None)
        return (
            stored.dt.convert_time_zone(stored_type.time_zone)
            if stored_type.time_zone
            else stored.dt.replace_time_zone(None)
        )
    if stored_type == pl.Date:
        stored = converted.dt.date()
        return stored.set(stored.cast(converted.dtype) != converted, None)
    stored = converted.cast(stored_type, strict=False)
    return (
        stored.set(stored.cast(converted.dtype, strict=False) != converted, None)
        if stored_type.is_numeric()
        else stored
    )


_DECLARED_TYPES: tuple[tuple[Callable[[pl.DataType], bool], str], ...] = (
    (lambda dtype: dtype == pl.String, "String"),
    (lambda dtype: dtype.is_numeric(), "Int64"),
    (lambda dtype: dtype == pl.Binary, "Bytes"),
    (lambda dtype: dtype.is_temporal(), "UnixTimestamp"),
    (lambda dtype: dtype == pl.Boolean, "Bool"),
)


def key_codes(keys: pl.DataFrame, is_requested: NDArray[np.bool_]) -> tuple[pl.DataFrame, Integers]:
    """Numbers the distinct keys of a spine in sorted order.

    Args:
        keys: (rows,) join keys, possibly no columns at all. A row with a null in any of them has no key.
        is_requested: (rows,) false for rows without a moment. A key that only such rows have gets no code.

    Returns:
        The distinct keys with their ``CODE``, and the code of each row (rows,), -1 for rows without a key or moment.
    """
    if not keys.width:
        return pl.DataFrame({CODE: [0]}, schema={CODE: pl.Int32}), np.where(is_requested, 0, -1)
    requested_keys = keys if is_requested.all() else keys.filter(pl.Series(is_requested))
    distinct = requested_keys.unique().drop_nulls().sort(keys.columns)
    codes = distinct.with_columns(pl.int_range(distinct.height, dtype=pl.Int32).alias(CODE))
    row_codes = keys.join(codes, on=keys.columns, how="left", maintain_order="left")[CODE]
    numbers = row_codes.fill_null(-1).to_numpy().astype(np.int64)
    return codes, np.where(is_requested, numbers, -1)
