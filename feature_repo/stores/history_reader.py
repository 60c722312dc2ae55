"""The rows of a history, read: which of them count as of some moments, their values, the newest of each key, all."""

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
"""Of memory, that are taken for each key while its newest row is looked for, about."""

CODE, NEWEST = "code", "newest"
"""Columns of the number of a key, and of the newest event time of it that counts, in microseconds."""

_ROW = "row"
_FURTHEST = 1 << 62
"""Microseconds from 1970, before and after, that no time of a calendar reaches; so that differences fit 64 bits."""

END_OF_TIME = _FURTHEST - 1
"""Later than any event: the end of a range that has none."""


def key_name(place: int) -> str:
    """Column of a join key while keys are compared: by its place, so that no name of a user is in the way."""
    return f"key {place}"


class HistoryReader:
    """Reads the files of a history as they were when they were opened.

    Args:
        history: what is read.
        groups: its files.

    Attributes:
        refusal: why a key of the files cannot be one, after a query has failed of it.
    """

    def __init__(self, history: "History", groups: Sequence[Group]) -> None:
        self._history, self._groups = history, [group for group in groups if self._has_times(history, group)]
        self.refusal: InputError | None = None

    @staticmethod
    def _has_times(history: "History", group: Group) -> bool:
        return len(group.ends) > 0 and group.ends[-1] > 0 and group.polars_types().get(history.time, pl.Null) != pl.Null

    def _groups_since(self, since: int | None) -> Iterator[Group]:
        """The groups without the files whose rows are all older, as far as these say so."""
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
        """Of all files that have times."""
        return int(sum(group.ends[-1] for group in self._groups))

    def times(
        self, codes: pl.DataFrame, *, until: int, since: int | None
    ) -> Iterator[tuple[Integers, Integers, Integers | None, Integers]]:
        """Code of the key, event time, created time and number of every row whose key and time can matter.

        Args:
            codes: the distinct join keys under ``key_name`` in the history's types, and their ``CODE``. Where they
                have a ``NEWEST``, rows of that event time alone can matter.
            until: last event time, in microseconds.
            since: first event time.

        Yields:
            Four arrays (rows,), the third None if there is no created time.
        """
        history = self._history
        created_columns = [history.created] if history.created else []
        # left to itself, polars collects many rows before it chooses; codes of the history's own keys are the fewer
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
            wanted = rows.select(CODE, "event", _ROW, *(["created"] if created_columns else []))
            for batch in _batches(wanted, in_order=False):
                known = batch["created"].fill_null(LOWEST).to_numpy() if created_columns else None
                numbers = group.numbers(batch[_ROW].to_numpy().astype(np.int64))
                yield batch[CODE].to_numpy(), batch["event"].to_numpy(), known, numbers

    def values(
        self, numbers: Integers, columns: Mapping[str, str], *, since: int | None, until: int
    ) -> Iterator[tuple[Integers, pl.DataFrame]]:
        """Columns of some rows, a part of them at a time.

        Args:
            numbers: (wanted,) of the rows, ascending.
            columns: name → column.
            since: event time of the oldest of the rows or before, in microseconds.
            until: event time of the newest of them or after.

        Yields:
            Places in ``numbers`` (part,), and the values of those rows (part,).
        """
        of_files = list(dict.fromkeys(columns.values()))
        for group in self._groups_since(since):
            places, wanted = group.locate(numbers)
            if not len(wanted):
                continue
            row = _row(self._history)
            scan = self._scan(group, list(dict.fromkeys([*of_files, self._history.time])), since, until)
            here = [name for name in of_files if name in group.polars_types()]
            done = 0
            for batch in _batches(scan.select(row, *here), in_order=True):
                rows = batch[row].to_numpy()
                end = int(np.searchsorted(wanted, int(rows[-1]) + 1))
                if end > done:
                    found = batch[np.searchsorted(rows, wanted[done:end])]
                    typed = found.with_columns(self._typed(columns, group)).select(list(columns))
                    yield places[done:end], typed
                done = end

    def all_values(
        self, numbers: Integers, columns: Mapping[str, str], *, since: int | None, until: int
    ) -> pl.DataFrame:
        """Columns of some rows at once, in the order of the rows; arguments as for ``values``."""
        schema = {name: self._history.types[column] for name, column in columns.items()}
        found = [pl.DataFrame(schema=schema)]
        places = []
        for some, frame in self.values(numbers, columns, since=since, until=until):
            places.append(some)
            found.append(frame)
        frame, order = pl.concat(found), np.concatenate(places) if places else np.empty(0, np.int64)
        return frame if np.all(order[1:] > order[:-1]) else frame[np.argsort(order)]

    def newest(
        self, columns: Mapping[str, str], *, since: int | None, until: int, memory: int
    ) -> Iterator[pl.DataFrame]:
        """The newest row of each key between two event times, both included, in microseconds.

        Args:
            columns: name → column, of what is wanted.
            since: first event time; the first of all if None.
            until: last event time.
            memory: bytes for the keys, about; of more keys than fit a part is looked for after the other.

        Yields:
            Some rows with the columns, the times in microseconds.
        """
        parts = self.parts(memory)
        for part in range(parts):
            codes = self._newest_times(since, until, part, parts)
            times = codes[NEWEST].to_numpy()
            newest = Newest(KeySlots(times))
            oldest = int(times.min(initial=until))  # most of a history is older than this, and is not read again
            recent = HistoryReader(self._history, list(self._groups_since(oldest)))
            for arrays in recent.times(codes, until=until, since=oldest):
                newest.offer(*arrays)
            numbers, _ = newest.result()
            for _, frame in recent.values(numbers, columns, since=oldest, until=until):
                yield frame

    def between(self, columns: Mapping[str, str], *, since: int | None, until: int) -> Iterator[pl.DataFrame]:
        """All rows between two event times, both included, some at a time; arguments as for ``newest``."""
        for group in self._groups:
            scan = self._scan(group, list(dict.fromkeys([*columns.values(), self._history.time])), since, until)
            _, is_within = self._event(group, since, until)
            rows = scan.filter(is_within).with_columns(self._typed(columns, group)).select(list(columns))
            yield from _batches(rows, in_order=False)

    def first_rows(self, keys: Mapping[str, str], *, since: int | None, until: int) -> Iterator[pl.DataFrame]:
        """Keys without a null and the first event time of each in a range, found batch by batch, so that a key may
        come again.

        Args:
            keys: name → column.
            since: first event time, in microseconds; the first of all if None.
            until: last event time.

        Yields:
            The keys under their names, and ``first_row`` in microseconds.
        """
        for group in self._groups:
            event, is_within = self._event(group, since, until)
            rows = self._scan(group, [*keys.values(), self._history.time], since, until).filter(is_within)
            rows = rows.select(*self._typed(keys, group), event.alias("first_row")).drop_nulls()
            for batch in _batches(rows, in_order=False):
                yield batch.group_by(list(keys)).agg(pl.col("first_row").min())

    def parts(self, memory: int) -> int:
        """In how many parts keys have to be looked for, so that each fits into so many bytes."""
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
        """The keys without a null that have a row in a time range, their ``CODE`` and ``NEWEST``; of one part alone."""
        names = self._key_names()
        types = [self._history.types[column] for column in self._history.keys.values()]
        found = [pl.LazyFrame(schema={**dict(zip(names, types, strict=True)), NEWEST: pl.Int64})]
        for group in self._groups:
            event, is_within = self._event(group, since, until)
            rows = self._scan(group, [*self._history.keys.values(), self._history.time], since, until)
            rows = rows.filter(is_within).select(*self._keys(group), event.alias(NEWEST)).drop_nulls()
            found.append(rows.filter(self._hash() % parts == part) if parts > 1 else rows)
        rows = pl.concat(found)
        times = rows.group_by(names).agg(pl.col(NEWEST).max()) if names else rows.max().drop_nulls()
        distinct = times.collect(engine="streaming")
        return distinct.with_columns(pl.int_range(distinct.height, dtype=pl.Int32).alias(CODE))

    def _event(self, group: Group, since: int | None, until: int) -> tuple[pl.Expr, pl.Expr]:
        """The event time in microseconds, and whether it lies between two moments, both included."""
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
        """A column in the type of the whole table; null throughout where a group of files lacks it."""
        want, types = self._history.types[column], group.polars_types()
        if column not in types:
            return pl.lit(None, want)
        dtype = self._history.key_types.get(column)
        if dtype is None or (types[column] == want and dtype != "UnixTimestamp"):
            return cast(pl.col(column), types[column], want)
        are_uuids = str(group.types.get(column)).startswith("extension<arrow.uuid")

        def as_keys(values: pl.Series) -> pl.Series:
            try:
                return key_series(values, dtype, column, are_uuids=are_uuids)
            except InputError as error:  # polars would make another error of it
                self.refusal = error
                raise pl.exceptions.ComputeError(str(error)) from error

        return pl.col(column).map_batches(as_keys, return_dtype=want, is_elementwise=True)

    def _instants(self, column: str, types: Mapping[str, pl.DataType]) -> pl.Expr:
        """A time as microseconds since 1970, rounded down."""
        have = types.get(column, pl.Null())
        if have == pl.Null:
            return pl.lit(None, pl.Int64)
        if isinstance(have, pl.Datetime) and have.time_unit == "ms":
            return pl.col(column).to_physical().clip(-_FURTHEST // 1000, _FURTHEST // 1000) * 1000
        if not isinstance(have, pl.Datetime):  # a date, or the text of one in the paths
            return cast(pl.col(column), have, pl.Date()).cast(pl.Datetime("us")).to_physical()
        return pl.col(column).cast(settled(have)).to_physical().clip(-_FURTHEST, _FURTHEST)

    def _scan(self, group: Group, columns: Sequence[str], since: int | None, until: int) -> pl.LazyFrame:
        """Rows of a group whose event time can lie between two moments."""
        dtype = group.polars_types()[self._history.time]
        return group.scan(columns, _row(self._history)).filter(_between(self._history.time, dtype, since, until))


def _row(history: "History") -> str:
    """A name for the numbers of rows that no column has."""
    return _ROW + "_" * max(map(len, history.types))


def _batches(rows: pl.LazyFrame, *, in_order: bool) -> Iterator[pl.DataFrame]:
    for batch in rows.collect_batches(chunk_size=parquet_files.ROWS_AT_ONCE, maintain_order=in_order):
        if batch.height:
            yield batch


def _between(column: str, dtype: pl.DataType, since: int | None, until: int) -> pl.Expr:
    """A condition on the event time that Parquet statistics can answer; never narrower than asked."""
    time = pl.col(column)
    condition = time.is_not_null()
    for moment, is_within in ((until + 1, time.le), (since, time.ge)):  # below a microsecond there may be more
        bound = None if moment is None else _bound(moment, dtype)
        if bound is not None:
            condition &= is_within(bound)
    return condition


def _bound(moment: int, dtype: pl.DataType) -> pl.Expr | None:
    """Microseconds as a literal of a column's type; None where the type cannot hold it. No time of Python is made on
    the way: its zones and those of polars differ after 2100.
    """
    if dtype == pl.Date:
        day = moment // DAY
        return pl.lit(day, pl.Int32).cast(pl.Date) if abs(day) < _FURTHEST // DAY else None
    if dtype == pl.String or (getattr(dtype, "time_unit", "") == "ns" and not -_NANOSECONDS < moment < _NANOSECONDS):
        return None
    return pl.lit(moment, pl.Int64).cast(pl.Datetime("us", getattr(dtype, "time_zone", None)))


_NANOSECONDS = np.iinfo(np.int64).max // 1000
"""Microseconds that nanoseconds in 64 bits can hold."""
