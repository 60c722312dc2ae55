"""The rows behind one feature view, in Parquet: first which row of which file counts is found, then it is read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from feature_repo.errors import StoreError
from feature_repo.stores.as_of import Integers
from feature_repo.stores.staging import Staging

if TYPE_CHECKING:
    from feast.data_source import DataSource

ROWS_AT_ONCE = 262_144
"""Rows of a history that are in memory at once: three or four integers each."""

FILE_BITS = 40
"""A row's number is its file's index, then its place in the file, in this many bits."""

_TIMES = re.compile(r"TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE|DATE")
_ROW = f"((file_index::BIGINT << {FILE_BITS}) | file_row_number)"


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class History:
    """Parquet files of one feature view and the columns of them that matter.

    Attributes:
        view: name, for messages.
        files: in the order that numbers them.
        types: column of the files → DuckDB type.
        keys: join key as the spine calls it → column.
        features: name in the answer → column.
        time: column of the event time.
        created: column of the created time, if there is one.
        ttl: rows older than this do not count; None is no limit.
    """

    view: str
    files: tuple[str, ...]
    types: Mapping[str, str]
    keys: Mapping[str, str]
    features: Mapping[str, str]
    time: str
    created: str | None = None
    ttl: timedelta | None = None
    staged: Staging | None = field(default=None, repr=False, compare=False)

    @property
    def unit(self) -> str:
        """``ns`` if the event or created time is in nanoseconds, otherwise ``us``."""
        columns = (self.time, self.created)
        return "ns" if any(self.types[name] == "TIMESTAMP_NS" for name in columns if name) else "us"

    def scan(self, files: Sequence[str] | None = None) -> str:
        """A table function over the files."""
        return parquet_scan(self.files if files is None else files)

    def times(
        self, connection: duckdb.DuckDBPyConnection, codes: str, *, until: int, since: int | None, unit: str
    ) -> Iterator[tuple[Integers, Integers, Integers | None, Integers]]:
        """Code of the key, event time, created time and number of every row whose key and time can matter.

        Args:
            connection: that knows the table ``codes``.
            codes: table with the join keys, under the spine's names, and ``code``.
            until: last event time, in ``unit``.
            since: first event time.
            unit: ``us`` or ``ns``.

        Yields:
            Four arrays (rows,), the third None if there is no created time.
        """
        created = f", {self._epoch(self.created, unit)}" if self.created else ""
        on = " AND ".join(f"h.{quoted(column)} = c.{quoted(key)}" for key, column in self.keys.items()) or "true"
        reader = connection.execute(
            f"SELECT c.code, {self._epoch(self.time, unit)}, {_ROW}{created}"
            f" FROM {self.scan()} h JOIN {codes} c ON {on} WHERE {self._between(since, until, unit, 'h.')}"
        ).to_arrow_reader(ROWS_AT_ONCE)
        for batch in reader:
            code, event, row, *rest = batch.columns
            known = [column.fill_null(np.iinfo(np.int64).min).to_numpy(zero_copy_only=False) for column in rest]
            yield (
                code.to_numpy(),
                event.to_numpy(zero_copy_only=False),
                known[0] if known else None,
                row.to_numpy(zero_copy_only=False),
            )

    def values(
        self, connection: duckdb.DuckDBPyConnection, rows: Integers, *, since: int | None, until: int, unit: str
    ) -> tuple[pa.Table, Integers]:
        """The features of some rows.

        Args:
            connection: of this thread alone.
            rows: (wanted,) numbers of the rows, ascending.
            since: event time of the oldest of them, in ``unit``.
            until: event time of the newest of them.
            unit: ``us`` or ``ns``.

        Returns:
            A table of the features under their names in the answer, in any order, and for each wanted row its place.
        """
        used, index = np.unique(rows >> FILE_BITS, return_inverse=True)
        files = [self.files[number] for number in used] or self.files[:1]
        numbers = (index.astype(np.int64) << FILE_BITS) | (rows & ((1 << FILE_BITS) - 1))
        there = column_types(connection, files)
        columns = ", ".join(
            f"{f'h.{quoted(column)}' if column in there else f'NULL::{self.types[column]}'} AS {quoted(f'f{place}')}"
            for place, column in enumerate(self.features.values())
        )
        connection.register("wanted", pa.table({"number": numbers, "place": np.arange(len(numbers))}))
        answer = connection.execute(
            f"SELECT w.place{', ' if columns else ''}{columns} FROM {self.scan(files)} h"
            f" JOIN wanted w ON {_ROW} = w.number WHERE {self._between(since, until, unit, 'h.')}"
        ).to_arrow_table()
        connection.unregister("wanted")
        places = np.empty(len(numbers), dtype=np.int64)
        places[answer["place"].to_numpy()] = np.arange(len(answer))
        return answer.drop_columns(["place"]).rename_columns(list(self.features)), places

    def newest(self, since: int | None, until: int | None, names: Sequence[str]) -> str:
        """SQL for the newest row of each key in a time range, in microseconds; ``names`` are the columns wanted.

        One narrow aggregation finds the rows, the wide columns are read for those alone.
        """
        keys = ", ".join(quoted(column) for column in self.keys.values())
        group = f"GROUP BY {keys}" if keys else ""
        known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in self.keys.values()) or "true"
        time, where = quoted(self.time), f"WHERE {self._between(since, until, 'us')} AND {known}"
        if self.created is None:
            newest = f"SELECT arg_max({_ROW}, {time}) AS number FROM {self.scan()} {where} {group}"
        else:
            tied = f"SELECT {f'{keys}, ' if keys else ''}max({time}) AS newest_time FROM {self.scan()} {where} {group}"
            on = " AND ".join(
                f"h.{quoted(name)} = t.{quoted(name) if name != self.time else 'newest_time'}"
                for name in (*self.keys.values(), self.time)
            )
            created = f"coalesce(h.{quoted(self.created)}, '-infinity')"
            of_key = ", ".join(f"h.{quoted(column)}" for column in self.keys.values())
            newest = (
                f"SELECT arg_max({_ROW}, {created}) AS number FROM {self.scan()} h JOIN ({tied}) t ON {on}"
                f" {f'GROUP BY {of_key}' if keys else ''}"
            )
        return (
            f"SELECT {', '.join(f'h.{quoted(name)}' for name in names)} FROM {self.scan()} h"
            f" JOIN ({newest}) n ON {_ROW} = n.number"
        )

    def in_range(self, since: datetime | None, until: datetime | None) -> str:
        """A condition on the event time; both ends count."""
        first, last = (None if moment is None else microseconds(moment) for moment in (since, until))
        return self._between(first, last, "us")

    def between(self, since: int | None, until: int | None, names: Sequence[str]) -> str:
        """SQL for all rows of a time range, in microseconds; ``names`` are the columns wanted."""
        listed = ", ".join(quoted(name) for name in names)
        return f"SELECT {listed} FROM {self.scan()} WHERE {self._between(since, until, 'us')}"

    def _epoch(self, column: str, unit: str) -> str:
        return f"epoch_{unit}(h.{quoted(column)}{'::TIMESTAMP' if self.types[column] == 'DATE' else ''})"

    def _between(self, since: int | None, until: int | None, unit: str, table: str = "") -> str:
        """A condition on the event time that Parquet statistics can answer; never narrower than asked."""
        scale = 1000 if unit == "ns" else 1
        kind = "TIMESTAMPTZ" if self.types[self.time] == "TIMESTAMP WITH TIME ZONE" else "TIMESTAMP"
        column = f"{table}{quoted(self.time)}"
        conditions = [f"{column} IS NOT NULL"]
        if until is not None:
            conditions.append(f"{column} <= {_moment(-(-until // scale), kind)}")
        if since is not None:
            conditions.append(f"{column} >= {_moment(since // scale, kind)}")
        return " AND ".join(conditions)


def microseconds(moment: datetime) -> int:
    """Since 1970; a time without a zone is UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _moment(microseconds: int, kind: str) -> str:
    moment = np.datetime64(microseconds, "us")
    return f"{kind} '{str(moment).replace('T', ' ')}{'+00' if kind == 'TIMESTAMPTZ' else ''}'"


def parquet_scan(files: Sequence[str]) -> str:
    """DuckDB's table function over Parquet files; columns are matched by name, those that a file lacks are null."""
    listed = ", ".join(literal(file) for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def column_types(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> dict[str, str]:
    """Column → DuckDB type over some Parquet files."""
    rows = connection.execute(f"DESCRIBE SELECT * FROM {parquet_scan(files)}").fetchall()
    return {name: dtype for name, dtype, *_ in rows}


def open_history(
    connection: duckdb.DuckDBPyConnection,
    source: "DataSource",
    *,
    view: str,
    keys: Mapping[str, str],
    features: Mapping[str, str],
    ttl: timedelta | None,
    repo_path: Any,
    temp_directory: str | None,
) -> History:
    """Look at a view's source and check that it is what the view says.

    A source that is not Parquet on this machine, or whose times are zoned nanoseconds (which DuckDB 1.5 would cut
    to microseconds), is copied to a temporary Parquet file first.

    Args:
        connection: to read schemas with.
        source: of the view.
        view: its name.
        keys: join key as the spine calls it → name in the view.
        features: name in the answer → name in the view.
        ttl: of the view; zero is no limit.
        repo_path: which relative paths start from.
        temp_directory: where a copy goes; the system's if None.

    Raises:
        StoreError: files are missing or unreadable, lack a column, or have no time where one is declared.
    """
    renamed = {new: old for old, new in (source.field_mapping or {}).items()}
    time, created = source.timestamp_field, source.created_timestamp_column or None
    wanted = [*keys.values(), *features.values(), time, *([created] if created else [])]
    files = _parquet_files(source, view, repo_path)
    staged = None
    if files is None or _has_zoned_nanoseconds(files, {renamed.get(name, name) for name in (time, created) if name}):
        staged = Staging(temp_directory)
        target = staged.folder / "rows.parquet"
        _stage(source, files, view, repo_path, target)
        files = [str(target)]
    try:
        types = column_types(connection, files)
    except duckdb.Error as error:
        raise StoreError(
            expected=f"Parquet files behind the view {view}",
            found=f"{str(error).splitlines()[0]} ({_where(files)})",
            next_command="python -m transforms build",
        ) from error
    columns = {name: renamed[name] if renamed.get(name) in types else name for name in wanted}
    absent = sorted({column for column in columns.values() if column not in types})
    if absent:
        raise StoreError(
            expected=f"the columns {absent} behind the view {view}",
            found=f"{sorted(types)} in {_where(files)}",
            next_command="python -m transforms build, or correct the view and run: python -m feature_repo apply",
        )
    for name in (time, created):
        if name and not _TIMES.fullmatch(types[columns[name]]):
            raise StoreError(
                expected=f"a time in the column {columns[name]!r} behind the view {view}",
                found=f"{types[columns[name]]}; the columns there: {dict(sorted(types.items()))}",
                next_command="write the column as a timestamp in microseconds, UTC",
            )
    return History(
        view=view,
        files=tuple(files),
        types=types,
        keys={spine: columns[name] for spine, name in keys.items()},
        features={answer: columns[name] for answer, name in features.items()},
        time=columns[time],
        created=columns[created] if created else None,
        ttl=ttl or None,
        staged=staged,
    )


def _where(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{len(files)} files, the first is {files[0]}"


def _parquet_files(source: "DataSource", view: str, repo_path: Any) -> list[str] | None:
    """The files of a local Parquet source; None for any other source."""
    from feast import FileSource
    from feast.data_format import ParquetFormat

    if not isinstance(source, FileSource) or not isinstance(source.file_format, ParquetFormat | None):
        return None
    path = FileSource.get_uri_for_file_path(repo_path, source.path)
    if "://" in path:
        return None
    place = Path(path)
    if any(sign in path for sign in "*?["):
        files = sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
    else:
        files = [place] if place.is_file() else sorted(place.rglob("*.parquet"))
    files = [file for file in files if not file.name.startswith((".", "_"))]
    if not files:
        raise StoreError(
            expected=f"Parquet files behind the view {view}",
            found=f"{'an empty folder' if place.is_dir() else 'nothing'} at {path}",
            next_command="python -m transforms build",
        )
    return [str(file) for file in files]


def _has_zoned_nanoseconds(files: Sequence[str], columns: set[str]) -> bool:
    with suppress(pa.ArrowInvalid, OSError):  # an unreadable file is reported by DuckDB's own words
        schema = pq.read_schema(files[0])
        types = [schema.field(name).type for name in columns if name in schema.names]
        return any(pa.types.is_timestamp(dtype) and dtype.unit == "ns" and dtype.tz for dtype in types)
    return False


def _stage(source: "DataSource", files: Sequence[str] | None, view: str, repo_path: Any, target: Path) -> None:
    """Copy a source to one Parquet file, batch by batch; zoned nanoseconds lose the zone and keep the digits."""
    from feast.infra.offline_stores.duckdb import _read_data_source

    try:
        if files is not None:
            batches = pyarrow.dataset.dataset(list(files)).scanner().to_reader()
        else:
            batches = _read_data_source(source, str(repo_path)).to_pyarrow_batches()
        schema = pa.schema([item.with_type(_without_zone(item.type)) for item in batches.schema])
        with pq.ParquetWriter(target, schema) as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))
    except Exception as error:
        raise StoreError(
            expected=f"a readable source behind the view {view}",
            found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            next_command="python -m feature_repo apply, once the source is there",
        ) from error


def _without_zone(dtype: pa.DataType) -> pa.DataType:
    return pa.timestamp("ns") if pa.types.is_timestamp(dtype) and dtype.unit == "ns" else dtype
