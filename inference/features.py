"""The only online lookup: a feature service's values for entity keys, in one round trip to Redis.

It reads the manifest that ``feature_repo`` compiled and packed values (``feature_repo.packed``); neither Feast,
pandas nor protobuf is imported. It returns what ``store.get_online_features`` returns, which a parity test holds it
to.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from feature_repo.errors import InputError, OnlineUnavailable, StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, View, load_address, load_service
from feature_repo.on_demand import ON_DEMAND, REQUEST_FIELDS
from feature_repo.packed import entity_key
from feature_repo.packed.decode import Block, Mixed, decode
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.schemas import KnownSchemas
from feature_repo.packed.server import READ_TIMEOUT, Server, get, open_server
from inference.held import HeldRows
from inference.monitoring.lookups import LookupLog

MANIFEST_SECONDS = 1.0
"""How often the manifest is looked at, at the most."""

_NUMBERS = {"Int64", "Int32", "Float64", "Float32", "Bool", "UnixTimestamp"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OnlineFeatures:
    """Looks one feature service up. Safe to share between threads.

    >>> features = OnlineFeatures("track_display_v1")                             # doctest: +SKIP
    >>> rows = features.get({"track_id": ["t000001", "t000002"]})                 # doctest: +SKIP
    >>> rows.columns["track_catalogue__title"], rows.matrix()                     # doctest: +SKIP
    """

    def __init__(
        self,
        service: str,
        home: Home | None = None,
        *,
        timeout: float = READ_TIMEOUT,
        defaults: Mapping[str, float | str] | None = None,
        log: LookupLog | None = None,
        hold: Mapping[str, float] | None = None,
    ) -> None:
        """Read the manifest; connect on the first lookup.

        Args:
            service: name of a feature service.
            home: the data folder; from the environment if None.
            timeout: seconds that Redis may take. A lookup takes twice that at the most.
            defaults: ``view__feature`` → what stands in for it where ``get`` is asked to fill; these win over the
                tags ``default`` of the definitions.
            log: told of some of the lookups; that of ``REFRAIN_LOG_LOOKUPS`` if None.
            hold: view → seconds for which its rows may be answered from memory; views that are not named are always
                looked up, and so is everything that is logged.

        Raises:
            StoreError: there is no manifest, or no such service in it.
        """
        self._home = home or Home.from_env()
        self._name, self._given_defaults = service, dict(defaults or {})
        self._log = log or LookupLog.from_env(self._home)
        self._held = HeldRows(hold or {})
        self._server: Server = open_server(self._home, load_address(self._home), timeout)
        self._checked_at, self._stamp = time.monotonic(), _stamp(self._home)
        self._plan = _Plan(load_service(self._home, service), self._given_defaults, self._server)

    @property
    def service(self) -> Service:
        """As the manifest has it now."""
        return self._plan.service

    def get(
        self,
        keys: Mapping[str, Sequence[Any]],
        request: Mapping[str, Any] | None = None,
        *,
        fill: bool = False,
        on_failure: Literal["raise", "defaults"] = "raise",
    ) -> "OnlineRows":
        """Look rows up.

        Args:
            keys: join key to n values; a single value counts for all rows. A null key finds nothing.
            request: ``request_timestamp`` (seconds since 1970 UTC; now if left out), ``device``, ``context``; what
                retrieval says of each row, an array (n,): ``similar_score``, ``follows_score``.
            fill: put defaults where values are missing; ``missing`` says where.
            on_failure: when Redis does not answer, raise, or answer as if nothing were there, filled with defaults
                and marked in ``degraded``.

        Raises:
            InputError: a key of the service is not given, or lengths differ.
            OnlineUnavailable: Redis does not answer.
            StoreError: Redis holds something damaged, or of a schema that nobody knows.
        """
        self._follow()
        plan = self._plan
        length, entities, places = plan.entities(keys)
        degraded, logged = None, self._log is not None and self._log.wants()
        try:
            if logged or not self._held:
                found, asked = get(self._server, plan.names_of(entities)), None
            else:
                found, asked = self._held.get(self._server, plan.lookups, entities)
        except OnlineUnavailable as error:
            if on_failure == "raise":
                raise
            found, asked = [None] * sum(len(entities[lookup.group]) for lookup in plan.lookups), None
            degraded, fill = str(error), True
        blocks, start = [], 0
        for number, lookup in enumerate(plan.lookups):
            stop = start + len(entities[lookup.group])
            fresh = None  # what is held was checked when it was looked up
            if asked is not None:
                fresh = [place - start for place in asked[bisect_left(asked, start) : bisect_left(asked, stop)]]
            blocks.append(decode(found[start:stop], lookup.schema, plan.older[number], unchecked=fresh))
            start = stop
        if asked is not None:
            self._held.keep(plan.lookups, entities, found, asked)
        if self._log is not None and logged and degraded is None:
            self._log.put(keys, request or {}, OnlineRows(plan, blocks, places, length, request or {}, False, None))
        return OnlineRows(plan, blocks, places, length, request or {}, fill, degraded)

    def _follow(self) -> None:
        """Take a changed manifest over; one that cannot be read leaves the old one in force."""
        now = time.monotonic()
        if now - self._checked_at < MANIFEST_SECONDS:
            return
        self._checked_at = now
        stamp = _stamp(self._home)
        if stamp != self._stamp:
            try:
                self._plan = _Plan(load_service(self._home, self._name), self._given_defaults, self._server)
            except StoreError:
                return
            self._stamp = stamp
            self._held.clear()


def _stamp(home: Home) -> tuple[int, int, int] | None:
    try:
        found = home.manifest.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


@dataclass(frozen=True)
class _Lookup:
    """One view of the service.

    Attributes:
        group: number of its join keys among the distinct ones.
        prefix: of its keys in Redis.
    """

    view: View
    schema: Schema
    group: int
    prefix: bytes


class _Plan:
    """What follows from the manifest, once for all lookups."""

    def __init__(self, service: Service, defaults: Mapping[str, float | str], server: Server) -> None:
        self.service = service
        self.groups = list(dict.fromkeys(view.join_keys for view in service.views))
        self.lookups = [
            _Lookup(
                view,
                Schema.of(view.name, view.columns),
                self.groups.index(view.join_keys),
                entity_key.prefix(service.project, view.name),
            )
            for view in service.views
        ]
        self.number = {view.name: number for number, view in enumerate(service.views)}
        declared = {f"{view.name}__{name}": value for view in service.views for name, value in view.defaults}
        self.defaults = declared | dict(defaults)
        self.numeric = tuple(name for name, dtype in service.features if dtype in _NUMBERS)
        self.names = dict(service.features)
        known = KnownSchemas(server, service.project)
        self.older = [known.of(view.name) for view in service.views]
        self._matrices: dict[tuple[str, ...], _Matrix] = {}

    def entities(self, keys: Mapping[str, Sequence[Any]]) -> tuple[int, list[list[bytes]], list[np.ndarray | None]]:
        """Number of rows; per group the distinct entities and the place of each row among them."""
        absent = [key for key in self.service.join_keys if key not in keys]
        lengths = {len(values) for values in keys.values()} - {1}
        if absent or len(lengths) > 1:
            raise InputError(
                expected=f"values of one length (or a single one) for {list(self.service.join_keys)}",
                found=f"no {absent}" if absent else f"lengths {sorted(lengths)}",
                next_command=f"add {absent[0]} to the keys" if absent else "pass lists of one length",
            )
        length = lengths.pop() if lengths else 1
        columns = {key: _Column.of(entity_key.texts(keys[key])) for key in self.service.join_keys}
        found, places = [], []
        for group in self.groups:
            distinct, place = _distinct([columns[key] for key in group], length)
            found.append(distinct)
            places.append(place)
        return length, found, places

    def names_of(self, entities: Sequence[Sequence[bytes]]) -> list[bytes]:
        """Keys in Redis of all views, one view after the other."""
        return [lookup.prefix + entity for lookup in self.lookups for entity in entities[lookup.group]]

    def matrix(self, names: tuple[str, ...]) -> "_Matrix":
        """How a matrix of these features is put together.

        Raises:
            InputError: one of the names is no numeric feature of the service.
        """
        found = self._matrices.get(names)
        if found is None:
            if len(self._matrices) > 100:
                self._matrices.clear()
            found = self._matrices[names] = _matrix(self, names)
        return found


@dataclass(frozen=True)
class _Column:
    """One join key's values.

    Attributes:
        distinct: each once, None left out, in the order in which they come.
        places: (rows,) where each row's value is among them, -1 for None; None if they are the rows.
    """

    distinct: list[bytes]
    places: np.ndarray | None

    @classmethod
    def of(cls, rows: list[bytes | None]) -> "_Column":
        number: dict[bytes | None, int] = {row: place for place, row in enumerate(dict.fromkeys(rows))}
        if None in number:
            there = [row for row in number if row is not None]
            number = {row: place for place, row in enumerate(there)} | {None: -1}
            return cls(there, np.array([number[row] for row in rows], np.int64))
        distinct: list[bytes] = list(number)  # type: ignore[arg-type]
        if len(distinct) == len(rows):
            return cls(distinct, None)
        return cls(distinct, np.array([number[row] for row in rows], np.int64))

    def __len__(self) -> int:
        return len(self.distinct) if self.places is None else len(self.places)

    def rows(self, length: int) -> list[bytes | None]:
        """(length,) values; a single one counts for all."""
        if self.places is None:
            return [*self.distinct] * (length if len(self.distinct) == 1 else 1)
        found = [None if place < 0 else self.distinct[place] for place in self.places.tolist()]
        return found * length if len(found) == 1 else found


def _distinct(columns: list[_Column], length: int) -> tuple[list[bytes], np.ndarray | None]:
    """Distinct entities (with the closing brace of their names), and where each row's is; None if they are the rows."""
    several = [number for number, column in enumerate(columns) if len(column) > 1]
    single = [column.distinct for number, column in enumerate(columns) if number not in several]
    if [] in single:  # a null key
        return [], np.full(length, -1)
    if not several:
        only = entity_key.entity([values[0] for values in single]) + b"}"
        return [only], None if length == 1 else np.zeros(length, np.int64)
    if len(several) == 1:
        one, place = columns[several[0]], several[0]
        if len(columns) == 1:
            return [value + b"}" for value in one.distinct], one.places
        before, after = [values[0] for values in single[:place]], [values[0] for values in single[place:]]
        return [entity_key.entity([*before, value, *after]) + b"}" for value in one.distinct], one.places
    spread = zip(*(column.rows(length) for column in columns), strict=True)
    joined = _Column.of([None if None in row else entity_key.entity(row) for row in spread])  # type: ignore[arg-type]
    return [entity + b"}" for entity in joined.distinct], joined.places


@dataclass(frozen=True)
class _Gather:
    """Numeric features of one view that lie in one region of its values, and where they go in a matrix.

    Attributes:
        view: its number.
        region: numpy type, offset in the value and width of the region.
        source: places in the region.
        nulls: their null bits.
        target: columns of the matrix.
        is_time: whether they are timestamps, which become seconds.
    """

    view: int
    region: tuple[str, int, int]
    source: slice | np.ndarray
    nulls: slice | np.ndarray
    target: slice | np.ndarray
    is_time: bool


@dataclass(frozen=True)
class _Matrix:
    """The columns of a matrix: those that are stored, and those that are computed, with their places."""

    stored: list[_Gather]
    computed: list[tuple[int, str]]


def _matrix(plan: _Plan, names: tuple[str, ...]) -> _Matrix:
    unknown = [name for name in names if name not in plan.numeric]
    if unknown:
        raise InputError(
            expected=f"numeric features of the service: {list(plan.numeric)}",
            found=f"{unknown}",
            next_command="python -m training run recommendation  (the model asks for another service)",
        )
    computed = [(place, name) for place, name in enumerate(names) if name.partition("__")[0] not in plan.number]
    parts: dict[tuple, list[tuple[int, int, int]]] = {}
    for target, name in enumerate(names):
        view, _, feature = name.partition("__")
        if view not in plan.number:
            continue
        schema = plan.lookups[plan.number[view]].schema
        place = schema.places[feature]
        is_time = schema.columns[schema.index[feature]].dtype == "UnixTimestamp"
        slot = (plan.number[view], place.region, place.offset, is_time)
        parts.setdefault(slot, []).append((place.start, schema.index[feature], target))
    found = []
    for (number, region, offset, is_time), columns in parts.items():
        source, nulls, wanted = (list(column) for column in zip(*sorted(columns), strict=True))
        region_of = (region, offset, max(source) + 1)
        found.append(_Gather(number, region_of, _compact(source), _compact(nulls), _compact(wanted), is_time))
    return _Matrix(found, computed)


def _compact(places: list[int]) -> slice | np.ndarray:
    """A slice where they are in a row: reading one copies nothing."""
    first, last = places[0], places[-1]
    return slice(first, last + 1) if places == list(range(first, last + 1)) else np.array(places)


class _Lazy(Mapping[str, Any]):
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
            numpy array (lists of numbers), list.
        event_times: view → (n,) seconds since 1970 UTC of the row that answered; NaN where there was none.
        length: n.
        degraded: why this answer is made of defaults alone; None if it is not.
    """

    def __init__(
        self,
        plan: _Plan,
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
        self._now = time.time()
        self._stored: dict[str, tuple[Any, np.ndarray]] = {}
        self._computed: dict[str, np.ndarray] = {}

    # Mappings are made when they are asked for: kept here, they and this object would hold each other, and every
    # lookup would wait for the garbage collector.

    @property
    def columns(self) -> Mapping[str, np.ndarray]:
        """``view__feature`` → (n,) numpy array."""
        return _Lazy(self._plan.names, lambda name: self._column(name)[0])

    @property
    def missing(self) -> Mapping[str, np.ndarray]:
        """``view__feature`` → (n,) bool."""
        return _Lazy(self._plan.names, lambda name: self._column(name)[1])

    @property
    def values(self) -> Mapping[str, list[Any]]:
        """``view__feature`` → n Python values."""
        return _Lazy(self._plan.names, self._listed)

    @property
    def event_times(self) -> Mapping[str, np.ndarray]:
        """View → (n,) seconds since 1970 UTC."""
        return _Lazy(self._plan.number, self._event_time)

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

    def _gather(self, gather: _Gather, out: np.ndarray) -> None:
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
            if name.partition("__")[0] in self._plan.number:
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
        view, _, feature = name.partition("__")
        number = self._plan.number[view]
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
        if absent.any():
            return [None if gone else value for value, gone in zip(listed, absent.tolist(), strict=True)]
        return listed

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
        number = self._plan.number[column.partition("__")[0]]
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
        view, _, feature = column.partition("__")
        schema = self._plan.lookups[self._plan.number[view]].schema
        return vector_column(values) if schema.columns[schema.index[feature]].kind == "numbers" else values

    def _vectors(self, name: str) -> np.ndarray | None:
        """(n, d) of a list of numbers, all of one length and none too old; NaN where missing. None if it is not so."""
        view, _, feature = name.partition("__")
        number = self._plan.number[view]
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


_NOTHING: dict[str, Any] = {"f": np.nan, "i": 0, "u": 0, "b": False, "M": np.datetime64("NaT"), "O": None}


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.array([value is None for value in values], bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)


def vector_column(values: Sequence[np.ndarray | None] | np.ndarray) -> np.ndarray:
    """(n, d) float32; a missing vector, or one of another length than the first, is a row of NaN."""
    present = [value for value in values if value is not None]
    width = len(present[0]) if present else 0
    if present and len(present) == len(values) and all(len(value) == width for value in present):
        return np.array(present, np.float32)
    out = np.full((len(values), width), np.nan, np.float32)
    for row, value in enumerate(values):
        if value is not None and len(value) == width:
            out[row] = value
    return out
