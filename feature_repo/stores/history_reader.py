"""Reads the rows of a history: times for the as-of join, values of given rows, the newest row of each key, or all."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from feature_repo.stores import parquet_files
from feature_repo.stores.as_of import LOWEST, Integers, KeySlots, Newest
from feature_repo.stores.column_types import cast, settled
from feature_repo.stores.key_series import key_series
from feature_repo.stores.parquet_files import Group
from feature_repo.windows.table import DAY

if TYPE_CHECKING:
    from feature_repo.stores.history import History

KEY_BYTES = 500
"""Estimated memory per key, in bytes, while its newest row is searched."""

CODE, NEWEST = "code", "newest"
"""Columns of a key's code, and of its newest event time in the range, in microseconds."""

_ROW = "row"
_FURTHEST = 1 << 62
"""Bound on microseconds since 1970 that no calendar time reaches, so that differences fit 64 bits."""

END_OF_TIME = _FURTHEST - 1
"""Later than any event: the end of an open range."""


def key_name(place: int) -> str:
    """Returns the internal column name of a join key, by position, so that it cannot clash with a user's column."""
    return f"key {place}"


class HistoryReader:
    """Reads the files of a history in the state in which they were opened.

    Args:
        history: the history to read.
        groups: its files, grouped by their types.

    Attributes:
        refusal: the error of an invalid key in the files, after it made a query fail.
    """

    def __init__(self, history: "History", groups: Sequence[Group]) -> None:
        self._history, self._groups = history, [group for group in groups if self._has_times(history, group)]
        self.refusal: InputError | None = None

    @staticmethod
    def _has_times(history: "History", group: Group) -> bool:
        return len(group.ends) > 0 and group.ends[-1] > 0 and group.polars_types().get(history.time, pl.Null) != pl.Null

    def _groups_since(self, since: int | None) -> Iterator[Group]:
        """Yields the groups without files whose statistics show that all rows are older than ``since``."""
        for group in self._groups:
            if since is None:
                yield group
                continue
            latest = group.latest.get(self._history.time)
            recent = np.ones(len(group.files), bool) if latest is None else latest >= since
            if recent.any():
                yield group.part(recent)

    @property
    def rows(self) -> int:
        """Number of rows in all files that have event times."""
        return int(sum(group.ends[-1] for group in self._groups))

    def times(
        self, codes: pl.DataFrame, *, until: int, since: int | None
    ) -> Iterator[tuple[Integers, Integers, Integers | None, Integers]]:
        """Yields key code, event time, created time and number of every row that can match.

        Args:
            codes: distinct join keys (columns ``key_name``) in the history's types, and their ``CODE``. If there is a
                column ``NEWEST``, only rows with that event time match.
            until: last event time, in microseconds.
            since: first event time, in microseconds; None for no bound.

        Yields:
            Four arrays (rows,); the third is None if there is no created time.
        """
        history = self._history
        created_columns = [history.created] if history.created else []
        # by default, polars collects many rows before it chooses; codes of the history's own keys are the smaller side
        build_side: Literal["auto", "force_right"] = "force_right" if NEWEST in codes.columns else "auto"
        for group in self._groups_since(since):
            rows = self._scan(group, [*history.keys.values(), history.time, *created_columns], since, until)
            types = group.polars_types()
            rows = rows.select(
                *self._keys(group),
                pl.col(_row(history)).alias(_ROW),
                self._instants(history.time, types).alias("event"),
                *(self._instants(column, types).alias("created") for column in created_columns),
            )
            if history.keys:
                rows = rows.join(codes.lazy(), on=self._key_names(), how="inner", build_side=build_side)
            else:
                rows = rows.join(codes.lazy(), how="cross")
            if NEWEST in codes.columns:
                rows = rows.filter(pl.col("event") == pl.col(NEWEST))
            matches = rows.select(CODE, "event", _ROW, *(["created"] if created_columns else []))
            for batch in _batches(matches, in_order=False):
                created = batch["created"].fill_null(LOWEST).to_numpy() if created_columns else None
                numbers = group.numbers(batch[_ROW].to_numpy().astype(np.int64))
                yield batch[CODE].to_numpy(), batch["event"].to_numpy(), created, numbers

    def values(
        self, numbers: Integers, columns: Mapping[str, str], *, since: int | None, until: int
    ) -> Iterator[tuple[Integers, pl.DataFrame]]:
        """Yields columns of given rows, in parts.

        Args:
            numbers: (n,) row numbers, ascending.
            columns: name in the result → column.
            since: lower bound on the event times of the rows, in microseconds.
            until: upper bound on them.

        Yields:
            Positions in ``numbers`` (part,), and the values of those rows (part,).
        """
        file_columns = list(dict.fromkeys(columns.values()))
        for group in self._groups_since(since):
            positions, group_rows = group.locate(numbers)
            if not len(group_rows):
                continue
            row = _row(self._history)
            scan = self._scan(group, list(dict.fromkeys([*file_columns, self._history.time])), since, until)
            present = [name for name in file_columns if name in group.polars_types()]
            done = 0
            for batch in _batches(scan.select(row, *present), in_order=True):
                rows = batch[row].to_numpy()
                end = int(np.searchsorted(group_rows, int(rows[-1]) + 1))
                if end > done:
                    selected = batch[np.searchsorted(rows, group_rows[done:end])]
                    typed = selected.with_columns(self._typed(columns, group)).select(list(columns))
                    yield positions[done:end], typed
                done = end

    def all_values(
        self, numbers: Integers, columns: Mapping[str, str], *, since: int | None, until: int
    ) -> pl.DataFrame:
        """Reads columns of given rows at once, in the order of ``numbers``; arguments as for ``values``."""
        schema = {name: self._history.types[column] for name, column in columns.items()}
        frames = [pl.DataFrame(schema=schema)]
        positions = []
        for part, frame in self.values(numbers, columns, since=since, until=until):
            positions.append(part)
            frames.append(frame)
        frame, order = pl.concat(frames), np.concatenate(positions) if positions else np.empty(0, np.int64)
        return frame if np.all(order[1:] > order[:-1]) else frame[np.argsort(order)]

    def newest(
        self, columns: Mapping[str, str], *, since: int | None, until: int, memory: int
    ) -> Iterator[pl.DataFrame]:
        """Yields the newest row of each key between two event times, both included, in microseconds.

        Args:
            columns: name in the result → column.
            since: first event time; None for no bound.
            until: last event time.
            memory: approximate memory for the keys, in bytes; if they do not fit, they are searched in parts.

        Yields:
            Frames of rows with the columns; times are in microseconds.
        """
        parts = self.parts(memory)
        for part in range(parts):
            codes = self._newest_times(since, until, part, parts)
            times = codes[NEWEST].to_numpy()
            newest = Newest(KeySlots(times))
            oldest = int(times.min(initial=until))  # most of a history is older and is not read again
            recent = HistoryReader(self._history, list(self._groups_since(oldest)))
            for arrays in recent.times(codes, until=until, since=oldest):
                newest.offer(*arrays)
            numbers, _ = newest.result()
            for _, frame in recent.values(numbers, columns, since=oldest, until=until):
                yield frame

    def between(self, columns: Mapping[str, str], *, since: int | None, until: int) -> Iterator[pl.DataFrame]:
        """Yields all rows between two event times, both included, in frames; arguments as for ``newest``."""
        for group in self._groups:
            scan = self._scan(group, list(dict.fromkeys([*columns.values(), self._history.time])), since, until)
            _, is_within = self._event(group, since, until)
            rows = scan.filter(is_within).with_columns(self._typed(columns, group)).select(list(columns))
            yield from _batches(rows, in_order=False)

    def first_rows(self, keys: Mapping[str, str], *, since: int | None, until: int) -> Iterator[pl.DataFrame]:
        """Yields the keys without nulls and the first event time of each in a range. A key may repeat across batches.

        Args:
            keys: name in the result → column.
            since: first event time, in microseconds; None for no bound.
            until: last event time, in microseconds.

        Yields:
            The keys under their names, and ``first_row`` in microseconds.
        """
        for group in self._groups:
            event, is_within = self._event(group, since, until)
            rows = self._scan(group, [*keys.values(), self._history.time], since, until).filter(is_within)
            rows = rows.select(*self._typed(keys, group), event.alias("first_row")).drop_nulls()
            for batch in _batches(rows, in_order=False):
                yield batch.group_by(list(keys)).agg(pl.col("first_row").min())

    def moments(self, keys: Mapping[str, str], *, until: int) -> Iterator[pl.DataFrame]:
        """Yields the keys without nulls and the event time of every row, in frames.

        Args:
            keys: name in the result → column.
            until: last event time, in microseconds.

        Yields:
            The keys under their names, and ``moment`` in microseconds.
        """
        for group in self._groups:
            event, is_within = self._event(group, None, until)
            rows = self._scan(group, [*keys.values(), self._history.time], None, until).filter(is_within)
            yield from _batches(
                rows.select(*self._typed(keys, group), event.alias("moment")).drop_nulls(), in_order=False
            )

    def parts(self, memory: int) -> int:
        """Returns the number of parts in which keys are searched, so that each part fits into ``memory`` bytes."""
        if not self._history.keys or self.rows * KEY_BYTES <= memory:
            return 1
        hashes = [self._hashes(group) for group in self._groups]
        count = pl.concat(hashes).select(pl.col("hash").approx_n_unique()).collect(engine="streaming").item()
        return max(-(-count * KEY_BYTES // memory), 1)

    def _hashes(self, group: Group) -> pl.LazyFrame:
        scan = group.scan([*self._history.keys.values(), self._history.time], _row(self._history))
        return scan.select(self._keys(group)).select(self._hash().alias("hash"))

    def _hash(self) -> pl.Expr:
        return pl.struct(self._key_names()).hash()

    def _newest_times(self, since: int | None, until: int, part: int, parts: int) -> pl.DataFrame:
        """Returns one part of the keys without nulls that have a row in the range, with ``CODE`` and ``NEWEST``."""
        names = self._key_names()
        types = [self._history.types[column] for column in self._history.keys.values()]
        group_rows = [pl.LazyFrame(schema={**dict(zip(names, types, strict=True)), NEWEST: pl.Int64})]
        for group in self._groups:
            event, is_within = self._event(group, since, until)
            rows = self._scan(group, [*self._history.keys.values(), self._history.time], since, until)
            rows = rows.filter(is_within).select(*self._keys(group), event.alias(NEWEST)).drop_nulls()
            group_rows.append(rows.filter(self._hash() % parts == part) if parts > 1 else rows)
        rows = pl.concat(group_rows)
        times = rows.group_by(names).agg(pl.col(NEWEST).max()) if names else rows.max().drop_nulls()
        distinct = times.collect(engine="streaming")
        return distinct.with_columns(pl.int_range(distinct.height, dtype=pl.Int32).alias(CODE))

    def _event(self, group: Group, since: int | None, until: int) -> tuple[pl.Expr, pl.Expr]:
        """Returns expressions of the event time in microseconds, and of whether it lies in the inclusive range."""
        event = self._instants(self._history.time, group.polars_types())
        return event, (event <= until) if since is None else event.is_between(since, until)

    def _key_names(self) -> list[str]:
        return [key_name(place) for place in range(len(self._history.keys))]

    def _keys(self, group: Group) -> list[pl.Expr]:
        columns = self._history.keys.values()
        return [self._as_declared(column, group).alias(key_name(place)) for place, column in enumerate(columns)]

    def _typed(self, columns: Mapping[str, str], group: Group) -> list[pl.Expr]:
        return [self._as_declared(column, group).alias(name) for name, column in columns.items()]

    def _as_declared(self, column: str, group: Group) -> pl.Expr:
        """Returns an expression of a column in the table's type; null if this group of files lacks the column."""
        target_type, types = self._history.types[column], group.polars_types()
        if column not in types:
            return pl.lit(None, target_type)
        declared_type = self._history.key_types.get(column)
        if declared_type is None or (types[column] == target_type and declared_type != "UnixTimestamp"):
            return cast(pl.col(column), types[column], target_type)
        are_uuids = str(group.types.get(column)).startswith("extension<arrow.uuid")

        def as_keys(values: pl.Series) -> pl.Series:
            try:
                return key_series(values, declared_type, column, are_uuids=are_uuids)
            except InputError as error:  # polars would replace it by an error of its own
                self.refusal = error
                raise pl.exceptions.ComputeError(str(error)) from error

        return pl.col(column).map_batches(as_keys, return_dtype=target_type, is_elementwise=True)

    def _instants(self, column: str, types: Mapping[str, pl.DataType]) -> pl.Expr:
        """Returns an expression of a time as microseconds since 1970, rounded down."""
        source_type = types.get(column, pl.Null())
        if source_type == pl.Null:
            return pl.lit(None, pl.Int64)
        if isinstance(source_type, pl.Datetime) and source_type.time_unit == "ms":
            return pl.col(column).to_physical().clip(-_FURTHEST // 1000, _FURTHEST // 1000) * 1000
        if not isinstance(source_type, pl.Datetime):  # a date, or a date as text in a path
            return cast(pl.col(column), source_type, pl.Date()).cast(pl.Datetime("us")).to_physical()
        return pl.col(column).cast(settled(source_type)).to_physical().clip(-_FURTHEST, _FURTHEST)

    def _scan(self, group: Group, columns: Sequence[str], since: int | None, until: int) -> pl.LazyFrame:
        """Scans the rows of a group whose event time may lie between two moments."""
        dtype = group.polars_types()[self._history.time]
        return group.scan(columns, _row(self._history)).filter(_between(self._history.time, dtype, since, until))


def _row(history: "History") -> str:
    """Returns a name for the row-number column that no other column has."""
    return _ROW + "_" * max(map(len, history.types))


def _batches(rows: pl.LazyFrame, *, in_order: bool) -> Iterator[pl.DataFrame]:
    for batch in rows.collect_batches(chunk_size=parquet_files.ROWS_AT_ONCE, maintain_order=in_order):
        if batch.height:
            yield batch


def _between(column: str, dtype: pl.DataType, since: int | None, until: int) -> pl.Expr:
    """Returns a condition on the event time that Parquet statistics can evaluate; never narrower than the range."""
    time = pl.col(column)
    condition = time.is_not_null()
    for moment, compare in ((until + 1, time.le), (since, time.ge)):  # values may have digits below a microsecond
        bound = None if moment is None else _bound(moment, dtype)
        if bound is not None:
            condition &= compare(bound)
    return condition


def _bound(moment: int, dtype: pl.DataType) -> pl.Expr | None:
    """Returns microseconds as a literal of a column's type; None if the type cannot hold it. It avoids Python's
    datetimes, whose time zones differ from those of polars after 2100.
    """
    if dtype == pl.Date:
        day = moment // DAY
        return pl.lit(day, pl.Int32).cast(pl.Date) if abs(day) < _FURTHEST // DAY else None
    if dtype == pl.String or (getattr(dtype, "time_unit", "") == "ns" and not -_NANOSECONDS < moment < _NANOSECONDS):
        return None
    return pl.lit(moment, pl.Int64).cast(pl.Datetime("us", getattr(dtype, "time_zone", None)))


_NANOSECONDS = np.iinfo(np.int64).max // 1000
"""Range of 64-bit nanoseconds, in microseconds."""
