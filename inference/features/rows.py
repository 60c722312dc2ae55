"""What a lookup found: columns, matrices and Python values, each made when it is asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from feature_repo import clock
from feature_repo.manifest import Service
from feature_repo.on_demand import ON_DEMAND, REQUEST_FIELDS
from feature_repo.packed.decode import Block, Mixed
from feature_repo.packed.schema import UNKNOWN_TIME
from feature_repo.vectors import vector_column
from inference.features.matrix import Gather
from inference.features.plan import Plan

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Lazy(Mapping[str, Any]):
    """A mapping whose values are made when they are asked for."""

    def __init__(self, names: Mapping[str, Any], make: Callable[[str], Any]) -> None:
        self._names, self._make = names, make

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class OnlineRows:
    """Values of a service for n rows; each column is decoded when it is asked for.

    Attributes:
        columns: ``view__feature`` → (n,) numpy array. Numbers and booleans in their own type, 0 (NaN for floats)
            where missing; timestamps datetime64[us], NaT where missing; vectors of fixed length (n, d) with rows of
            NaN; texts, bytes and lists as objects, None where missing.
        missing: ``view__feature`` → (n,) bool, true where no value was found, it was null, or older than its view's
            ttl; whether or not a default stands in for it.
        values: ``view__feature`` → n Python values, None where missing: int, float, str, bytes, bool, datetime,
            numpy array (lists of numbers), list. Maps, structs and nested lists as Feast gives them, which has to be
            installed for those; ``columns`` has the bytes of their protobuf ``Value``.
        event_times: view → (n,) seconds since 1970 UTC of the row that answered; NaN where there was none.
        length: n.
        degraded: why this answer is made of defaults alone; None if it is not.
    """

    def __init__(
        self,
        plan: Plan,
        blocks: Sequence[Block | Mixed],
        places: Sequence[np.ndarray | None],
        length: int,
        request: Mapping[str, Any],
        fill: bool,
        degraded: str | None,
    ) -> None:
        self.length, self.degraded = length, degraded
        self._plan, self._blocks, self._places, self._request = plan, blocks, places, request
        self._defaults = plan.defaults if fill else {}
        self._now = clock.seconds()
        self._stored: dict[str, tuple[Any, np.ndarray]] = {}
        self._computed: dict[str, np.ndarray] = {}

    # Mappings are made when they are asked for: kept here, they and this object would hold each other, and every
    # lookup would wait for the garbage collector.

    @property
    def columns(self) -> Mapping[str, np.ndarray]:
        """``view__feature`` → (n,) numpy array."""
        return Lazy(self._plan.names, lambda name: self._column(name)[0])

    @property
    def missing(self) -> Mapping[str, np.ndarray]:
        """``view__feature`` → (n,) bool."""
        return Lazy(self._plan.names, lambda name: self._column(name)[1])

    @property
    def values(self) -> Mapping[str, list[Any]]:
        """``view__feature`` → n Python values."""
        return Lazy(self._plan.names, self._listed)

    @property
    def event_times(self) -> Mapping[str, np.ndarray]:
        """View → (n,) seconds since 1970 UTC."""
        return Lazy(self._plan.number, self._event_time)

    def __len__(self) -> int:
        return self.length

    @property
    def service(self) -> Service:
        """That was looked up."""
        return self._plan.service

    @property
    def looked_up_at(self) -> float:
        """Seconds since 1970 UTC."""
        return self._now

    def ages(self, now: float | None = None) -> dict[str, np.ndarray]:
        """View → (n,) seconds since the row that answered; NaN where there was none."""
        moment = self._now if now is None else now
        return {view: moment - times for view, times in self.event_times.items()}

    def matrix(self, names: Sequence[str] | None = None) -> np.ndarray:
        """(n, len(names)) float32 of numeric features, NaN for missing: what an ONNX model takes.

        Args:
            names: ``view__feature``; all numeric features of the service, in its order, if None. Timestamps are
                seconds since 1970.

        Raises:
            InputError: one of the names is no numeric feature of the service.
        """
        asked = self._plan.numeric if names is None else tuple(names)
        plan = self._plan.matrix(asked)
        out = np.empty((self.length, len(asked)), np.float32)
        for gather in plan.stored:
            self._gather(gather, out)
        for column, name in plan.computed:
            out[:, column] = self._on_demand(name)
        for column, name in enumerate(asked) if self._defaults else ():
            if name in self._defaults:
                gone = np.isnan(out[:, column])
                out[gone, column] = self._defaults[name]
        return out

    def _gather(self, gather: Gather, out: np.ndarray) -> None:
        block, places = self._blocks[gather.view], self._places[self._plan.lookups[gather.view].group]
        if isinstance(block, Mixed):
            columns = np.arange(out.shape[1])[gather.target]
            bits = np.arange(len(block.schema.columns))[gather.nulls]
            part = np.empty((len(block), len(columns)), np.float32)
            for number, bit in enumerate(bits):
                values = block.numbers(block.schema.columns[bit].name)
                part[:, number] = values / 1e6 if gather.is_time else values
        else:
            part = block.region(*gather.region)[:, gather.source]
            if gather.is_time:
                part = part / 1e6
        old, nulls = self._too_old(gather.view), block.nulls
        if nulls is not None or old is not None:
            part = part.astype(np.float32)
        if nulls is not None:
            part[nulls[:, gather.nulls]] = np.nan
        if old is not None:
            part[old] = np.nan
        if places is None:
            out[:, gather.target] = part
            return
        if not len(block):
            out[:, gather.target] = np.nan
            return
        out[:, gather.target] = part[places]
        if places.min(initial=0) < 0:
            rows = np.flatnonzero(places < 0)
            out[rows[:, None], np.arange(out.shape[1])[gather.target]] = np.nan

    def _too_old(self, view: int) -> np.ndarray | None:
        ttl = self._plan.lookups[view].view.ttl
        return self._blocks[view].event < (self._now - ttl) * 1_000_000 if ttl else None

    def _column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Values, with defaults if they are wanted, and where they are missing."""
        if name not in self._stored:
            if name in self._plan.stored:
                values, missing = self._raw_column(name)
            else:
                values = self._on_demand(name)
                missing = _is_missing(values)
            if name in self._defaults and missing.any():
                values = values.copy()
                values[missing] = self._defaults[name]
            self._stored[name] = (values, missing)
        return self._stored[name]

    def _raw_column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A stored feature for each row, and where it is missing."""
        number, feature = self._plan.stored[name]
        block, places = self._blocks[number], self._places[self._plan.lookups[number].group]
        column = block.schema.columns[block.schema.index[feature]]
        gone = block.is_null(feature)
        old = self._too_old(number)
        if old is not None:
            gone = gone | old
        values: np.ndarray
        if column.is_fixed:
            values = block.numbers(feature)
            if column.dtype == "UnixTimestamp":
                values = values.astype("<M8[us]")
        else:
            values = np.empty(len(block), object)
            values[:] = block.objects(feature)
        if places is None:
            values, missing = values.copy(), gone
        elif len(block):
            values, missing = values[places], gone[places] | (places < 0)
        else:
            values = np.zeros((self.length, *values.shape[1:]), values.dtype)
            missing = np.ones(self.length, bool)
        if missing.any():
            values[missing] = _NOTHING[values.dtype.kind]
        return values, missing

    def _listed(self, name: str) -> list[Any]:
        values, missing = self._column(name)
        absent = missing & (name not in self._defaults)
        if values.dtype.kind == "M":
            since = values.astype(np.int64).tolist()
            listed: list[Any] = [
                None if gone else _EPOCH + timedelta(microseconds=us)
                for us, gone in zip(since, absent.tolist(), strict=True)
            ]
            return listed
        listed = list(values) if values.ndim > 1 else values.tolist()
        convert = self._conversion(name)
        if convert is not None:
            return [None if gone or raw is None else convert(raw) for raw, gone in zip(listed, absent, strict=True)]
        if absent.any():
            return [None if gone else value for value, gone in zip(listed, absent.tolist(), strict=True)]
        return listed

    def _conversion(self, name: str) -> Callable[[Any], Any] | None:
        """What makes a Python value of a stored one, where that takes more than numpy does."""
        if name not in self._plan.stored:
            return None
        number, feature = self._plan.stored[name]
        schema = self._plan.lookups[number].schema
        column = schema.columns[schema.index[feature]]
        if column.kind == "message":
            from feature_repo.stores.protobuf import unpacked  # Feast, which lookups of other types do without

            return unpacked
        return _moments if column.element == "UnixTimestamp" else None

    def _event_time(self, view: str) -> np.ndarray:
        number = self._plan.number[view]
        event, places = self._blocks[number].event, self._places[self._plan.lookups[number].group]
        times = np.where(event == UNKNOWN_TIME, np.nan, event / 1e6)
        if places is None:
            return times
        return np.where(places < 0, np.nan, times[places]) if len(times) else np.full(self.length, np.nan)

    def _on_demand(self, name: str) -> np.ndarray:
        """A feature that is computed from others and from the request."""
        if name not in self._computed:
            function = name.partition("__")[0]
            columns = {column: self._input(column) for column in ON_DEMAND[function].inputs.values()}
            alike = self.length > 1 and all(map(self._is_one_for_all, columns))
            if alike:
                columns = {column: values[:1] for column, values in columns.items()}
            for output, values in ON_DEMAND[function].compute(columns).items():
                self._computed[f"{function}__{output}"] = np.repeat(values, self.length, axis=0) if alike else values
        return self._computed[name]

    def _is_one_for_all(self, column: str) -> bool:
        """Whether every row has the same value: that of the request, or of the one entity that is asked about."""
        if "__" not in column:
            return not isinstance(self._request.get(column), np.ndarray | Sequence) or isinstance(
                self._request.get(column), str
            )
        number, _ = self._plan.stored[column]
        places = self._places[self._plan.lookups[number].group]
        return len(self._blocks[number]) == 1 and places is not None and bool(places.min() == places.max())

    def _input(self, column: str) -> np.ndarray:
        """As ``feature_repo.on_demand`` wants it."""
        if "__" not in column:
            value = self._request.get(column, self._now if column == "request_timestamp" else None)
            if REQUEST_FIELDS[column] == "String":
                return np.full(self.length, value, object)
            numbers = np.full(self.length, np.nan if value is None else value, float)
            # whole seconds, as Feast and training sets have them
            return np.floor(numbers) if REQUEST_FIELDS[column] == "UnixTimestamp" else numbers
        vectors = self._vectors(column)
        return self._as_input(column) if vectors is None else vectors

    def _as_input(self, column: str) -> np.ndarray:
        """A stored column, missing ones as NaN or None."""
        values, missing = self._raw_column(column)
        if values.dtype.kind == "M":
            return np.where(missing, np.nan, values.astype(np.int64) / 1e6)
        if values.dtype.kind in "iub":
            return np.where(missing, np.nan, values.astype(np.float64))
        if values.dtype.kind == "f":
            return values if values.ndim > 1 else values.astype(np.float64)
        number, feature = self._plan.stored[column]
        schema = self._plan.lookups[number].schema
        return vector_column(values) if schema.columns[schema.index[feature]].kind == "numbers" else values

    def _vectors(self, name: str) -> np.ndarray | None:
        """(n, d) of a list of numbers, all of one length and none too old; NaN where missing. None if it is not so."""
        number, feature = self._plan.stored[name]
        block, places = self._blocks[number], self._places[self._plan.lookups[number].group]
        column = block.schema.columns[block.schema.index[feature]]
        if column.kind != "numbers" or isinstance(block, Mixed) or self._too_old(number) is not None:
            return None
        found = block.vectors(feature)
        if found is None or places is None:
            return found
        spread = found[places]
        if places.min(initial=0) < 0:
            spread[places < 0] = np.nan
        return spread


def _moments(since: np.ndarray) -> list[datetime]:
    """Microseconds since 1970 as times, in UTC."""
    return [_EPOCH + timedelta(microseconds=micros) for micros in since.tolist()]


_NOTHING: dict[str, Any] = {"f": np.nan, "i": 0, "u": 0, "b": False, "M": np.datetime64("NaT"), "O": None}


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.array([value is None for value in values], bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
