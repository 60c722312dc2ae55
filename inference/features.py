"""The only online lookup: a feature service's values for entity keys, in one round trip to Redis.

It reads the manifest that ``feature_repo`` compiled and the layout of Feast's Redis store
(``feature_repo.stores.redis_layout``); neither Feast nor protobuf is imported. It returns what
``store.get_online_features`` returns, which a parity test holds it to.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, View, load_service
from feature_repo.on_demand import ON_DEMAND, REQUEST_FIELDS
from feature_repo.stores import redis_layout, redis_server

_NUMBERS = {"Int64", "Float64", "Float32", "Bool", "UnixTimestamp"}


@dataclass(frozen=True)
class OnlineRows:
    """Values of a service for n rows.

    Attributes:
        values: ``view__feature`` to n values: None where missing, else int, float, str, bool, list or a float32
            vector; timestamps are whole seconds since 1970 UTC.
        event_times: view to (n,) seconds since 1970 UTC of the row that answered; NaN where there was none.
        length: n.
    """

    values: Mapping[str, list[Any]]
    event_times: Mapping[str, np.ndarray]
    length: int

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """(n, len(names)) float32 of numeric features, NaN for missing: what an ONNX model takes.

        Raises:
            InputError: one of the names is no feature of the service.
        """
        absent = [name for name in names if name not in self.values]
        if absent:
            raise InputError(
                expected=f"features of the service: {sorted(self.values)}",
                found=f"{absent}",
                next_command="python -m training run recommendation  (the model asks for another service)",
            )
        out = np.empty((self.length, len(names)), np.float32)
        for column, name in enumerate(names):
            out[:, column] = number_column(self.values[name])
        return out


class OnlineFeatures:
    """Looks one feature service up.

    >>> features = OnlineFeatures("track_display_v1")                             # doctest: +SKIP
    >>> features.get({"track_id": ["t000001", "t000002"]}).values                 # doctest: +SKIP
    """

    def __init__(self, service: str, home: Home | None = None) -> None:
        """Read the manifest; connect on the first lookup.

        Raises:
            StoreError: there is no manifest, or no such service in it.
        """
        self._home = home or Home.from_env()
        self.service: Service = load_service(self._home, service)
        self._client: redis.Redis | None = None
        groups: dict[tuple[str, ...], list[View]] = {}
        for view in self.service.views:
            groups.setdefault(view.join_keys, []).append(view)
        self._groups = [_Group(keys, views, self.service.project) for keys, views in groups.items()]

    def get(self, keys: Mapping[str, Sequence[str | None]], request: Mapping[str, Any] | None = None) -> OnlineRows:
        """Look rows up.

        Args:
            keys: join key to n values; a single value counts for all rows. A null key finds nothing.
            request: ``request_timestamp`` (seconds since 1970 UTC; now if left out), ``device``, ``context``.

        Raises:
            InputError: a key of the service is not given, or lengths differ.
            StoreError: Redis does not answer, or holds something else.
        """
        columns = self._checked(keys)
        length = next((len(values) for values in columns.values() if len(values) != 1), 1)
        found: dict[str, list[Any]] = {}
        times: dict[str, np.ndarray] = {}
        lookups = [group.lookups(columns, length) for group in self._groups]
        answers = self._fetch([command for commands, _ in lookups for command in commands])
        start = 0
        for group, (commands, places) in zip(self._groups, lookups, strict=True):
            group.decode(answers[start : start + len(commands)], places, found, times)
            start += len(commands)
        found |= self._on_demand(found, request or {}, length)
        return OnlineRows({name: found[name] for name, _ in self.service.features}, times, length)

    def _checked(self, keys: Mapping[str, Sequence[str | None]]) -> dict[str, Sequence[str | None]]:
        absent = [key for key in self.service.join_keys if key not in keys]
        lengths = {len(values) for values in keys.values()} - {1}
        if absent or len(lengths) > 1:
            raise InputError(
                expected=f"values of one length (or a single one) for {list(self.service.join_keys)}",
                found=f"no {absent}" if absent else f"lengths {sorted(lengths)}",
                next_command=f"add {absent[0]} to the keys" if absent else "pass lists of one length",
            )
        return {key: keys[key] for key in self.service.join_keys}

    def _fetch(self, commands: list[tuple[bytes, list[bytes]]]) -> list[list[bytes | None]]:
        """One pipeline of HMGET; a server that went away is looked for, or started, once."""
        for attempt in (1, 2):
            try:
                if self._client is None:
                    self._client = redis_server.connect(self._home)
                with self._client.pipeline(transaction=False) as pipe:
                    for key, fields in commands:
                        pipe.hmget(key, fields)  # type: ignore[arg-type]
                    return pipe.execute()
            except (redis.ConnectionError, redis.TimeoutError) as error:
                self._client = None
                if attempt == 2:
                    raise StoreError(
                        expected="the online store to answer",
                        found=str(error),
                        next_command="python -m feature_repo redis status",
                    ) from error
        raise AssertionError("unreachable")

    def _on_demand(self, found: Mapping[str, list[Any]], request: Mapping[str, Any], length: int) -> dict[str, list]:
        if not self.service.on_demand:
            return {}
        defaults = {"request_timestamp": time.time()}
        columns: dict[str, np.ndarray] = {}
        for field in self.service.request_fields:
            value = request.get(field, defaults.get(field))
            numeric = REQUEST_FIELDS[field] == "UnixTimestamp"
            columns[field] = np.full(length, value, float if numeric else object)
        for name in self.service.on_demand:
            for column in ON_DEMAND[name].inputs.values():
                if column not in columns:
                    columns[column] = self._column(column, found[column])
        return {
            f"{name}__{output}": known(values)
            for name in self.service.on_demand
            for output, values in ON_DEMAND[name].compute(columns).items()
        }

    def _column(self, name: str, values: list[Any]) -> np.ndarray:
        view, _, feature = name.partition("__")
        dtype = dict(next(item for item in self.service.views if item.name == view).features)[feature]
        if dtype in _NUMBERS:
            return number_column(values)
        return vector_column(values) if dtype == "Array(Float32)" else np.array(values, dtype=object)


class _Group:
    """Views of the same join keys: their features lie in one Redis hash per entity."""

    def __init__(self, join_keys: tuple[str, ...], views: list[View], project: str) -> None:
        self.join_keys, self._views, self._project = join_keys, views, project
        self._fields: list[bytes] = []
        self._decoders: list[tuple[str, Any]] = []
        for view in views:
            for feature, dtype in view.features:
                self._fields.append(redis_layout.feature_field(view.name, feature))
                self._decoders.append((f"{view.name}__{feature}", redis_layout.decoder(dtype)))
        self._times = len(self._fields)
        self._fields += [redis_layout.time_field(view.name) for view in views]

    def lookups(
        self, columns: Mapping[str, Sequence[str | None]], length: int
    ) -> tuple[list[tuple[bytes, list[bytes]]], list[int]]:
        """One command per distinct entity, and the command's place for each row; -1 for a null key."""
        rows = zip(
            *(values * length if len(values := list(columns[key])) == 1 else values for key in self.join_keys),
            strict=True,
        )
        commands: dict[tuple[str | None, ...], int] = {}
        places = [-1 if None in row else commands.setdefault(row, len(commands)) for row in rows]
        calls = [
            (
                redis_layout.entity_key(self._project, self.join_keys, [str(part) for part in row]),
                self._fields,
            )
            for row in commands
        ]
        return calls, places

    def decode(
        self,
        answers: list[list[bytes | None]],
        places: list[int],
        found: dict[str, list[Any]],
        times: dict[str, np.ndarray],
    ) -> None:
        """Values and event times of each row; an entity's values are decoded once, however many rows have it."""
        for column, (name, decode) in enumerate(self._decoders):
            distinct = [decode(answer[column] or b"") for answer in answers]
            found[name] = [None if place < 0 else distinct[place] for place in places]
        for column, view in enumerate(self._views, start=self._times):
            stamps = [redis_layout.decode_time(raw) if (raw := answer[column]) else np.nan for answer in answers]
            times[view.name] = np.array([np.nan if place < 0 else stamps[place] for place in places])


def known(values: np.ndarray) -> list[Any]:
    """Values of an on-demand function, None where it gave NaN."""
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values.tolist()]


def number_column(values: list[Any]) -> np.ndarray:
    """float64 with NaN for missing."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def vector_column(values: list[Any]) -> np.ndarray:
    """(n, d) float32; a missing vector, or one of another length than the first, is a row of NaN."""
    width = next((len(value) for value in values if value is not None), 0)
    out = np.full((len(values), width), np.nan, np.float32)
    for row, value in enumerate(values):
        if value is not None and len(value) == width:
            out[row] = value
    return out
