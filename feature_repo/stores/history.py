"""The rows behind one feature view, in Parquet: first which row of which file counts is found, then it is read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.errors import StoreError
from feature_repo.stores.as_of import LOWEST, Integers
from feature_repo.stores.source_path import remedy
from feature_repo.stores.staging import Staging

if TYPE_CHECKING:
    from feast.data_source import DataSource

ROWS_AT_ONCE = 262_144
"""Rows of a history that are in memory at once, in each of its threads."""

GROUP_BYTES = 1 << 30
"""Files are scanned in groups of about this size: polars numbers rows in 32 bits, and no row takes a quarter byte."""

KEY_BYTES = 500
"""That DuckDB takes for each key while it looks for the newest rows: 260 were measured, and texts may be long."""

_ROW_BITS = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS = (np.iinfo(np.int64).min // 1000, np.iinfo(np.int64).max // 1000)
_ROW = "refrain_row"
CODE = "refrain_code"
"""Column of the number of a key, named so that no column of a user is."""


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
        files: in the order that numbers their rows.
        types: column of the files → type, for the columns that matter.
        keys: join key as the spine calls it → column.
        features: name in the answer → column.
        time: column of the event time.
        created: column of the created time, if there is one.
        ttl: rows older than this do not count; None is no limit.
        in_paths: whether a column stands in the paths (``country=se/``), not in the files.
    """

    view: str
    files: tuple[str, ...]
    types: Mapping[str, pl.DataType]
    keys: Mapping[str, str]
    features: Mapping[str, str]
    time: str
    created: str | None = None
    ttl: timedelta | None = None
    in_paths: bool = False
    staged: Staging | None = field(default=None, repr=False, compare=False)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Rows are found and read in two passes; that their files were the same in both is checked at the end.

        Raises:
            StoreError: somebody wrote the table meanwhile, or it is not what it was when the question was asked.
        """
        before = self._state()
        try:
            yield
        except (pl.exceptions.PolarsError, duckdb.Error, OSError) as error:
            raise StoreError(
                expected=f"readable Parquet files of one schema behind the view {self.view}",
                found=(str(error).splitlines() or [""])[0],
                next_command="the same again; if it fails again: python -m transforms build",
            ) from error
        if self._state() != before:
            raise StoreError(
                expected=f"the files behind the view {self.view} to stay as they are during a retrieval",
                found="other files than at its start: a build was running",
                next_command="the same again, once the build is done",
            )

    def _state(self) -> list[tuple[int, int, int] | None]:
        return [_identity(Path(file)) for file in self.files]

    @property
    def unit(self) -> str:
        """``ns`` if the event or created time is in nanoseconds, otherwise ``us``."""
        columns = (self.time, self.created)
        return "ns" if any(getattr(self.types[name], "time_unit", "") == "ns" for name in columns if name) else "us"

    def times(
        self, codes: pl.DataFrame, *, until: int, since: int | None, unit: str
    ) -> Iterator[tuple[Integers, Integers, Integers | None, Integers]]:
        """Code of the key, event time, created time and number of every row whose key and time can matter.

        Args:
            codes: the join keys, under the spine's names and in the types of the files, and their ``CODE``.
            until: last event time, in ``unit``.
            since: first event time.
            unit: ``us`` or ``ns``.

        Yields:
            Four arrays (rows,), the third None if there is no created time.
        """
        names = [*self.keys.values(), self.time, *([self.created] if self.created else [])]
        created = [_integers(self.created, self.types[self.created], unit)] if self.created else []
        for group, files in enumerate(self._groups()):
            rows = self._scan(files, names).filter(self._between(since, until, unit))
            if self.keys:
                keys = [_comparable(column, self.types[column]) for column in self.keys.values()]
                rows = rows.with_columns(keys).join(
                    codes.lazy(), left_on=list(self.keys.values()), right_on=list(self.keys), how="inner"
                )
            else:
                rows = rows.with_columns(pl.lit(0, pl.Int32).alias(CODE))
            wanted = rows.select(CODE, _integers(self.time, self.types[self.time], unit), _ROW, *created)
            for batch in _batches(wanted, in_order=False):
                number = batch[_ROW].to_numpy().astype(np.int64) | (group << _ROW_BITS)
                known = batch[self.created].fill_null(LOWEST).to_numpy() if self.created else None
                yield batch[CODE].to_numpy(), batch[self.time].to_numpy(), known, number

    def values(self, rows: Integers, *, since: int | None, until: int, unit: str) -> pl.DataFrame:
        """The features of some rows.

        Args:
            rows: (wanted,) numbers of the rows, ascending.
            since: event time of the oldest of them or before, in ``unit``.
            until: event time of the newest of them or after.
            unit: ``us`` or ``ns``.

        Returns:
            (wanted,) the features under their names in the answer, in the order of the rows.
        """
        columns = list(dict.fromkeys(self.features.values()))
        found = [pl.DataFrame(schema={name: self.types[name] for name in columns})]
        for group, files in enumerate(self._groups()):
            wanted = rows[np.searchsorted(rows, group << _ROW_BITS) : np.searchsorted(rows, (group + 1) << _ROW_BITS)]
            if len(wanted):
                wanted = wanted & ((1 << _ROW_BITS) - 1)
                scan = self._scan(files, list(dict.fromkeys([*columns, self.time])))
                scan = scan.filter(self._between(since, until, unit)).select(_ROW, *columns)
                for batch in _batches(scan, in_order=True):
                    there = batch[_ROW].to_numpy()
                    asked = wanted[slice(*np.searchsorted(wanted, [there[0], int(there[-1]) + 1]))]
                    found.append(batch[np.searchsorted(there, asked)].drop(_ROW))
        return pl.concat(found).select(pl.col(column).alias(name) for name, column in self.features.items())

    def newest(self, since: int | None, until: int | None, names: Sequence[str], part: tuple[int, int] = (0, 1)) -> str:
        """SQL for the rows of the newest time of each key in a time range, in microseconds; see ``untied``.

        Args:
            since: first event time, in microseconds.
            until: last event time.
            names: of the columns wanted.
            part: of the keys, and of how many parts: (0, 1) is all of them.
        """
        number, parts = part
        keys = ", ".join(quoted(column) for column in self.keys.values())
        known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in self.keys.values()) or "true"
        if parts > 1:
            known += f" AND hash({keys}) % {parts} = {number}"
        on = " AND ".join(f"h.{quoted(column)} = n.{quoted(column)}" for column in self.keys.values()) or "true"
        time = quoted(self.time)
        return (
            f"WITH n AS MATERIALIZED (SELECT {f'{keys}, ' if keys else ''}max({time}) AS newest_time FROM {self.table}"
            f" WHERE {self._sql_between(since, until)} AND {known} {f'GROUP BY {keys}' if keys else ''})"
            f" SELECT {', '.join(f'h.{quoted(name)}' for name in names)} FROM {self.table} h"
            f" JOIN n ON {on} AND h.{time} = n.newest_time"
        )

    def parts(self, duck: duckdb.DuckDBPyConnection, memory: int) -> int:
        """In how many parts ``newest`` has to be asked for, so that each fits into so many bytes."""
        if not self.keys:
            return 1
        (rows,) = duck.execute(f"SELECT count(*) FROM {self.table}").fetchall()[0]
        if rows * KEY_BYTES <= memory:
            return 1
        keys = ", ".join(quoted(column) for column in self.keys.values())
        (count,) = duck.execute(f"SELECT approx_count_distinct(hash({keys})) FROM {self.table}").fetchall()[0]
        return max(-(-count * KEY_BYTES // memory), 1)

    def untied(self, rows: str) -> str:
        """SQL for one row of each key among those that share the newest time: the one created last."""
        keys = ", ".join(quoted(column) for column in self.keys.values())
        created = f"ORDER BY {quoted(self.created)} DESC NULLS LAST" if self.created else ""
        partition = f"PARTITION BY {keys}" if keys else ""
        return f"SELECT * FROM ({rows}) QUALIFY row_number() OVER ({partition} {created}) = 1"

    def between(self, since: int | None, until: int | None, names: Sequence[str]) -> str:
        """SQL for all rows of a time range, in microseconds; ``names`` are the columns wanted."""
        listed = ", ".join(quoted(name) for name in names)
        return f"SELECT {listed} FROM {self.table} WHERE {self._sql_between(since, until)}"

    def in_range(self, since: datetime | None, until: datetime | None) -> str:
        """SQL condition on the event time; both ends count."""
        first, last = (None if moment is None else microseconds(moment) for moment in (since, until))
        return self._sql_between(first, last)

    @property
    def table(self) -> str:
        """DuckDB's table function over the files; columns are matched by name, those that a file lacks are null."""
        listed = ", ".join(literal(file) for file in self.files)
        hive = str(self.in_paths).lower()
        return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = {hive})"

    def _groups(self) -> Iterator[list[str]]:
        group: list[str] = []
        size = 0
        for file in self.files:
            here = Path(file).stat().st_size
            if group and size + here > GROUP_BYTES:
                yield group
                group, size = [], 0
            group.append(file)
            size += here
        yield group

    def _scan(self, files: list[str], columns: list[str]) -> pl.LazyFrame:
        if self.in_paths:
            scan = pl.scan_parquet(files, glob=False, row_index_name=_ROW, hive_partitioning=True)
        else:
            scan = pl.scan_parquet(
                files,
                glob=False,
                row_index_name=_ROW,
                hive_partitioning=False,
                schema={column: self.types[column] for column in columns},
                missing_columns="insert",
                extra_columns="ignore",
                cast_options=_CASTS,
            )
        return scan.select(_ROW, *columns)

    def _between(self, since: int | None, until: int, unit: str) -> pl.Expr:
        """A condition on the event time that Parquet statistics can answer; never narrower than asked."""
        scale = 1000 if unit == "ns" else 1
        column, dtype = pl.col(self.time), self.types[self.time]
        condition = column.is_not_null()
        for moment, is_within in (
            (-(-until // scale), column.le),
            (None if since is None else since // scale, column.ge),
        ):
            bound = None if moment is None else _bound(moment, dtype)
            if bound is not None:
                condition &= is_within(bound)
        return condition

    def _sql_between(self, since: int | None, until: int | None) -> str:
        dtype = self.types[self.time]
        kind = "TIMESTAMPTZ" if getattr(dtype, "time_zone", None) else "TIMESTAMP"
        column = quoted(self.time)
        conditions = [f"{column} IS NOT NULL"]
        if until is not None:
            conditions.append(f"{column} <= {_sql_moment(until, kind)}")
        if since is not None:
            conditions.append(f"{column} >= {_sql_moment(since, kind)}")
        return " AND ".join(conditions)


def _identity(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


_CASTS = pl.ScanCastOptions(
    integer_cast="upcast", float_cast="upcast", datetime_cast=["nanosecond-downcast", "convert-timezone"]
)
"""Files of one table may differ so much."""


def _batches(rows: pl.LazyFrame, *, in_order: bool) -> Iterator[pl.DataFrame]:
    for batch in rows.collect_batches(chunk_size=ROWS_AT_ONCE, maintain_order=in_order):
        if batch.height:
            yield batch


def _integers(column: str, dtype: pl.DataType, unit: str) -> pl.Expr:
    """A time as 64-bit integers of a unit; what nanoseconds cannot hold becomes their first or last."""
    time = pl.col(column)
    if unit == "us":
        return time.cast(pl.Datetime("us", getattr(dtype, "time_zone", None))).to_physical()
    if getattr(dtype, "time_unit", None) == "ns":
        return time.to_physical()
    micros = time.cast(pl.Datetime("us", getattr(dtype, "time_zone", None))).to_physical()
    return micros.clip(*_NANOSECONDS) * 1000


def _bound(moment: int, dtype: pl.DataType) -> pl.Expr | None:
    """Microseconds as a literal of a column's type; None where the type cannot hold it."""
    zone = getattr(dtype, "time_zone", None)
    try:
        time = _EPOCH + timedelta(microseconds=moment)
        there = ZoneInfo(zone) if zone else None
    except (OverflowError, ZoneInfoNotFoundError):
        return None
    if dtype == pl.Date:
        return pl.lit(time.date())
    if dtype.time_unit == "ns" and not _NANOSECONDS[0] < moment < _NANOSECONDS[1]:  # type: ignore[attr-defined]
        return None
    return pl.lit(time.astimezone(there) if there else time.replace(tzinfo=None))


def comparable(dtype: pl.DataType) -> pl.DataType:
    """The type in which a key is compared."""
    return pl.String() if isinstance(dtype, pl.Categorical | pl.Enum) else dtype


def _comparable(column: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(column) if comparable(dtype) == dtype else pl.col(column).cast(comparable(dtype))


def microseconds(moment: datetime) -> int:
    """Since 1970; a time without a zone is UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _sql_moment(moment: int, kind: str) -> str:
    text = str(np.datetime64(moment, "us")).replace("T", " ")
    return f"{kind} '{text}{'+00' if kind == 'TIMESTAMPTZ' else ''}'"


def open_history(
    source: "DataSource",
    *,
    view: str,
    keys: Mapping[str, str],
    features: Mapping[str, str],
    time: str,
    created: str | None,
    renamed: Mapping[str, str],
    ttl: timedelta | None,
    repo_path: Any,
    temp_directory: str | None,
) -> History:
    """Look at a view's source and check that it is what the view says.

    A source that is not Parquet on this machine is copied to a temporary Parquet file first.

    Args:
        source: of the view.
        view: its name.
        keys: join key as the spine calls it → name in the view.
        features: name in the answer → name in the view.
        time: name of the event time in the view.
        created: name of the created time, if there is one.
        renamed: name in the view → name in the files, where they differ.
        ttl: of the view; zero is no limit.
        repo_path: which relative paths start from.
        temp_directory: where a copy goes; the system's if None.

    Raises:
        StoreError: files are missing or unreadable, lack a column, or have no time where one is declared.
    """
    wanted = [*keys.values(), *features.values(), time, *([created] if created else [])]
    files = _parquet_files(source, view, repo_path)
    staged = None
    if files is None:
        staged = Staging(temp_directory)
        target = staged.folder / "rows.parquet"
        _stage(source, view, repo_path, target)
        files = [str(target)]
    columns, types, in_paths = _columns(files, wanted, renamed, view)
    for name in (time, created):
        if name and not isinstance(types[columns[name]], pl.Datetime | pl.Date):
            raise StoreError(
                expected=f"a time in the column {columns[name]!r} behind the view {view}",
                found=f"{types[columns[name]]}; the columns: {', '.join(f'{n} {t}' for n, t in sorted(types.items()))}",
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
        in_paths=in_paths,
        staged=staged,
    )


def _columns(
    files: Sequence[str], wanted: Sequence[str], renamed: Mapping[str, str], view: str
) -> tuple[dict[str, str], dict[str, pl.DataType], bool]:
    """Where each wanted name is: its column, the types of the columns, and whether one stands in the paths."""
    types: dict[str, pl.DataType] = {}
    for file in dict.fromkeys([files[-1], files[0], *files]):  # the newest file has the columns that were added last
        try:
            types = {**pl.read_parquet_schema(file), **types}
        except (pl.exceptions.PolarsError, OSError) as error:
            raise StoreError(
                expected=f"Parquet files behind the view {view}",
                found=f"{(str(error).splitlines() or [''])[0]} in {file}",
                next_command="python -m transforms build",
            ) from error
        columns = {name: renamed[name] if renamed.get(name) in types else name for name in wanted}
        if all(column in types for column in columns.values()):
            return columns, {column: types[column] for column in columns.values()}, False
    parts = {part.split("=")[0] for part in Path(files[0]).parts[:-1] if "=" in part}
    absent = sorted({column for column in columns.values() if column not in types})
    if absent and parts.issuperset(absent):
        types = dict(pl.scan_parquet(list(files), glob=False, hive_partitioning=True).collect_schema())
        return columns, {column: types[column] for column in columns.values()}, True
    raise StoreError(
        expected=f"the columns {absent} behind the view {view}",
        found=f"{sorted(types)} in {_where(files)}",
        next_command="python -m transforms build, or correct the view and run: python -m feature_repo apply",
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
            next_command=remedy(source),
        )
    return [str(file) for file in files]


def _stage(source: "DataSource", view: str, repo_path: Any, target: Path) -> None:
    """Copy a source to one Parquet file, batch by batch."""
    from feast.infra.offline_stores.duckdb import _read_data_source

    try:
        batches = _read_data_source(source, str(repo_path)).to_pyarrow_batches()
        with pq.ParquetWriter(target, batches.schema) as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_batches([batch]))
    except Exception as error:
        raise StoreError(
            expected=f"a readable source behind the view {view}",
            found=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
            next_command="python -m feature_repo apply, once the source is there",
        ) from error
