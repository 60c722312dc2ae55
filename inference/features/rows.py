"""The result of a lookup: columns, matrices and Python values, each made on first access."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.extras import explained
from feature_repo.keys import key_values
from feature_repo.manifest import Service
from feature_repo.packed.decode import Block, Mixed
from feature_repo.vectors import vector_column
from inference.features.columns import ColumnRows
from inference.features.entities import GroupKeys
from inference.features.matrix import FunctionInputs
from inference.features.plan import Lookup, Plan
from inference.features.view_rows import ViewRows

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LazyMapping(Mapping[str, Any]):
    """A mapping whose values are made on access."""

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
    """Values of a feature service for n rows; each column is decoded on first access.

    Attributes:
        columns: ``view__feature`` → (n,) numpy array. Numbers and booleans in their own type, 0 (NaN for floats)
            where missing; timestamps datetime64[us], NaT where missing; vectors of fixed length (n, d) with rows of
            NaN where missing; texts, bytes and lists as objects, None where missing.
        missing: ``view__feature`` → (n,) bool, true where there is no value, the value is null, or the row is older
            than the view's ttl; independent of defaults.
        values: ``view__feature`` → n Python values, None where missing: int, float, str, bytes, bool, datetime,
            numpy array (lists of numbers), list. Maps, structs and nested lists are as in Feast, which must be
            installed for them; ``columns`` has the bytes of their protobuf ``Value``.
        event_times: view → (n,) event times of the rows found, in seconds since 1970 UTC; NaN where there is no row.
        length: number of rows, n.
        degraded: why the result consists of defaults only; None if it does not.
        denied: (n,) bool, true for rows of people who have not consented to the purpose of the service, of whom no
            value is here; None if there are none.
        withheld: (n,) bool, true for rows that the role of the caller does not see: nothing of them is here, whether
            they exist or not; None if there are none.
        hidden: feature → ``refused``, which are not in the mappings, or how its values are masked; empty where the
            caller sees everything (``inference.features.seen_rows``).

    >>> rows = OnlineFeatures("listener_v1").get({"user_id": ["u000042"]})         # doctest: +SKIP
    >>> rows.matrix().shape, rows.ages(), rows.head(1), rows.to_pandas()           # doctest: +SKIP
    """

    def __init__(
        self,
        plan: Plan,
        views: Sequence[ViewRows],
        groups: Sequence[GroupKeys],
        length: int,
        request: Mapping[str, Any],
        fill: bool,
        degraded: str | None,
        now: float,
        keys: Mapping[str, Sequence[Any]] | None = None,
        denied: np.ndarray | None = None,
    ) -> None:
        self.length, self.degraded, self.denied = length, degraded, denied
        self._plan, self._views, self._groups, self._request = plan, views, groups, request
        self._defaults, self._keys = plan.defaults if fill else {}, keys or {}
        self._now = now
        self.withheld: np.ndarray | None = None
        self.hidden: Mapping[str, str] = {}
        self._names: Mapping[str, str] = plan.names
        self._stored: dict[str, tuple[Any, np.ndarray]] = {}
        self._computed: dict[str, Mapping[str, np.ndarray]] = {}
        self._request_columns: dict[tuple[str, int], np.ndarray] = {}
        self._inputs: np.ndarray | None = None

    # Mappings are made on access: stored here, they and this object would refer to each other, and every lookup
    # would leave a reference cycle to the garbage collector.

    @property
    def columns(self) -> Mapping[str, np.ndarray]:
        """``view__feature`` → (n,) numpy array."""
        return LazyMapping(self._names, lambda name: self._column(name)[0])

    @property
    def missing(self) -> Mapping[str, np.ndarray]:
        """``view__feature`` → (n,) bool."""
        return LazyMapping(self._names, lambda name: self._column(name)[1])

    @property
    def values(self) -> Mapping[str, list[Any]]:
        """``view__feature`` → n Python values."""
        return LazyMapping(self._names, self._python_values)

    @property
    def event_times(self) -> Mapping[str, np.ndarray]:
        """View → (n,) seconds since 1970 UTC."""
        return LazyMapping(self._plan.view_index, lambda view: self._views[self._plan.view_index[view]].event_times())

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        rows = "1 row" if self.length == 1 else f"{self.length:,} rows"
        degraded = f", degraded: {self.degraded}" if self.degraded else ""
        return f"OnlineRows({self.service.name}: {rows}{degraded}; {self.service.brief()})"

    def head(self, count: int = 5) -> list[dict[str, Any]]:
        """List the first rows, each as ``view__feature`` → Python value, None where missing.

        >>> OnlineFeatures("track_display_v1").get({"track_id": ["t000001"]}).head()   # doctest: +SKIP
        [{'track_catalogue__title': 'Slow River', 'track_catalogue__artist_name': 'Kalomi'}]
        """
        columns = {name: values[: max(count, 0)] for name, values in self.values.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_pandas(self) -> "pd.DataFrame":
        """Build a pandas frame of n rows: the join keys in their declared types, then ``view__feature`` columns.

        Missing numbers are NaN (whole numbers then become floats, truths objects), times NaT in UTC, the rest None.

        Raises:
            MissingExtra: pandas is not installed.

        >>> OnlineFeatures("listener_v1").get({"user_id": ["u000042"]}).to_pandas()    # doctest: +SKIP
        """
        with explained():
            import pandas as pd  # a serving process does without it
        columns: dict[str, pd.Series] = {}
        for name, dtype in self.service.key_types.items() if self._keys else ():
            keys = key_values(self._keys[name], dtype, name)
            columns[name] = pd.Series(keys * self.length if len(keys) == 1 else keys)
        for name in self._names:
            values, missing = self._column(name)
            is_missing = missing & (name not in self._defaults)
            if values.dtype.kind == "M":
                columns[name] = pd.Series(values).dt.tz_localize("UTC")
            elif values.ndim > 1 or values.dtype.kind == "O" or (values.dtype.kind == "b" and is_missing.any()):
                columns[name] = pd.Series(self._python_values(name), dtype=object)
            elif values.dtype.kind in "iu" and is_missing.any():
                columns[name] = pd.Series(np.where(is_missing, np.nan, values.astype(np.float64)))
            else:
                columns[name] = pd.Series(values)
        return pd.DataFrame(columns)

    @property
    def service(self) -> Service:
        """The feature service that was looked up."""
        return self._plan.service

    @property
    def looked_up_at(self) -> float:
        """Time of the lookup in seconds since 1970 UTC."""
        return self._now

    def ages(self, now: float | None = None) -> dict[str, np.ndarray]:
        """Compute view → (n,) ages of the rows in seconds; NaN where there is no row."""
        moment = self._now if now is None else now
        return {view: moment - times for view, times in self.event_times.items()}

    def matrix(self, names: Sequence[str] | None = None) -> np.ndarray:
        """Build the (n, len(names)) float32 matrix of numeric features, NaN for missing: the input of an ONNX model.

        Args:
            names: feature names as ``view__feature``; all numeric features of the service, in its order, if None.
                Timestamps are seconds since 1970.

        Raises:
            InputError: a name is not a numeric feature of the service.
        """
        feature_names = self._numeric if names is None else tuple(names)
        plan = self._plan.matrix(feature_names)
        matrix = np.empty((self.length, len(feature_names)), np.float32)
        for gather in plan.stored:
            self._views[gather.view].fill_matrix(gather, matrix)
        for function, outputs in plan.computed.items():
            values = self._on_demand(function)
            for output, column in outputs:
                matrix[:, column] = values[output]
        for column, name in enumerate(feature_names) if self._defaults else ():
            if name in self._defaults:
                is_nan = np.isnan(matrix[:, column])
                matrix[is_nan, column] = self._defaults[name]
        return matrix

    @property
    def _numeric(self) -> tuple[str, ...]:
        """Names of the numeric features of the service."""
        return self._plan.numeric

    def block_of(self, lookup: Lookup, keys: GroupKeys) -> Block | Mixed | ColumnRows | None:
        """Return the row of a view if it was looked up here for the same single entity; else None.

        >>> listener_rows.block_of(lookup, keys) is None  # doctest: +SKIP
        False
        """
        number = self._plan.view_index.get(lookup.view.name)
        if number is None:
            return None
        own = self._plan.lookups[number]
        if (own.prefix, own.view.join_keys, own.schema) != (lookup.prefix, lookup.view.join_keys, lookup.schema):
            return None
        entities = keys.entities if keys.known is None else []
        is_found_here = len(entities) == 1 and self.degraded is None and self._groups[own.group].entities == entities
        return self._views[number].block if is_found_here else None

    def _column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of a feature, with defaults if requested, and where they are missing."""
        if name not in self._stored:
            if name in self._plan.stored:
                number, feature = self._plan.stored[name]
                values, missing = self._views[number].column(feature)
            else:
                function, _, output = name.partition("__")
                values = self._on_demand(function)[output]
                if len(values) < self.length:
                    values = np.repeat(values, self.length, axis=0)
                missing = _is_missing(values)
            if name in self._defaults and missing.any():
                values = values.copy()
                values[missing] = self._defaults[name]
            self._stored[name] = (values, missing)
        return self._stored[name]

    def _python_values(self, name: str) -> list[Any]:
        if name in self._plan.stored and name not in self._defaults:
            number, feature = self._plan.stored[name]
            objects = self._views[number].objects(feature)
            if objects is not None:
                convert = self._conversion(name)
                return objects if convert is None else [None if raw is None else convert(raw) for raw in objects]
        values, missing = self._column(name)
        is_missing = missing & (name not in self._defaults)
        if values.dtype.kind == "M":
            micros = values.astype(np.int64).tolist()
            python_values: list[Any] = [
                None if no_value else _EPOCH + timedelta(microseconds=time_us)
                for time_us, no_value in zip(micros, is_missing.tolist(), strict=True)
            ]
            return python_values
        python_values = list(values) if values.ndim > 1 else values.tolist()
        convert = self._conversion(name)
        if convert is not None:
            return [
                None if no_value or raw is None else convert(raw)
                for raw, no_value in zip(python_values, is_missing, strict=True)
            ]
        if is_missing.any():
            return [
                None if no_value else value for value, no_value in zip(python_values, is_missing.tolist(), strict=True)
            ]
        return python_values

    def _conversion(self, name: str) -> Callable[[Any], Any] | None:
        """Return the conversion from stored to Python values; None if numpy's own conversion suffices."""
        if name not in self._plan.stored:
            return None
        number, feature = self._plan.stored[name]
        schema = self._plan.lookups[number].schema
        column = schema.columns[schema.index[feature]]
        if column.kind == "message":
            from feature_repo.stores.protobuf import unpacked  # imports Feast; other types do not need it

            return unpacked
        return _to_datetimes if column.element == "UnixTimestamp" else None

    def _on_demand(self, function: str) -> Mapping[str, np.ndarray]:
        """Compute the outputs of a function, (n,) or, if all rows have the same, (1,)."""
        if function not in self._computed:
            inputs = self._plan.inputs.by_function[function]
            length = 1 if self.length > 1 and self._is_constant(inputs) else self.length
            numbers = self._numeric_inputs()
            columns = {column: numbers[:length, place] for column, place in inputs.numbers.items()}
            for column in inputs.others:
                columns[column] = self._other_input(column, length)
            self._computed[function] = self.service.functions[function].compute(columns)
        return self._computed[function]

    def _is_constant(self, inputs: FunctionInputs) -> bool:
        """Check whether all rows have the same inputs: those of the request, or of single entities."""
        return self._row_fields.isdisjoint(inputs.others) and all(self._views[view].is_single for view in inputs.views)

    @cached_property
    def _row_fields(self) -> frozenset[str]:
        """Request fields of which each row has a value of its own."""
        fields = self.service.request_fields
        values = {name: value for name, value in self._request.items() if name in fields and not isinstance(value, str)}
        return frozenset(name for name, value in values.items() if isinstance(value, np.ndarray | Sequence))

    def _other_input(self, column: str, length: int) -> np.ndarray:
        """Return the first ``length`` rows of an input that is no stored number, as ``feature_repo.on_demand`` says."""
        if column not in self._plan.stored:
            if (column, length) not in self._request_columns:
                self._request_columns[column, length] = self._request_column(column, length)
            return self._request_columns[column, length]
        number, feature = self._plan.stored[column]
        view = self._views[number]
        vectors = view.vectors(feature)
        if vectors is not None:
            return vectors[:length]
        values, _ = view.column(feature)
        is_list = view.block.schema.columns[view.block.schema.index[feature]].kind == "numbers"
        return (vector_column(values) if is_list else values)[:length]

    def _request_column(self, name: str, length: int) -> np.ndarray:
        """Return a request field as the (length,) values of rows."""
        value = self._request.get(name, self._now if name == "request_timestamp" else None)
        dtype = self.service.request_fields[name]
        if dtype == "String":
            return np.full(length, value, object)
        numbers = np.full(length, np.nan if value is None else value, float)
        # whole seconds, as in Feast and in training sets
        return np.floor(numbers) if dtype == "UnixTimestamp" else numbers

    def _numeric_inputs(self) -> np.ndarray:
        """Return the (n, columns) numeric inputs of all functions, each column of one piece."""
        if self._inputs is None:
            self._inputs = np.empty((self._plan.inputs.width, self.length)).T
            for gather in self._plan.inputs.stored:
                self._views[gather.view].fill_matrix(gather, self._inputs)
        return self._inputs


def _to_datetimes(times_us: np.ndarray) -> list[datetime]:
    """Convert microseconds since 1970 to datetimes in UTC."""
    return [_EPOCH + timedelta(microseconds=time_us) for time_us in times_us.tolist()]


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.array([value is None for value in values], bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
