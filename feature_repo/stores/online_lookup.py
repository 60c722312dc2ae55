"""From Feast's entity rows to the names of packed values, and from what lies under them to Feast's answer."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from feast import FeatureView
from feast.feature_view import DUMMY_ENTITY_ID
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo import clock
from feature_repo.errors import InputError
from feature_repo.keys import key_parts, key_value, key_values
from feature_repo.packed import entity_key
from feature_repo.packed.decode import Block, Mixed, decode
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.schemas import KnownSchemas
from feature_repo.stores.online_response import Answer, PackedResponse
from feature_repo.stores.protobuf import key_types, unwrapped

Keys = tuple[tuple[str, str], ...]
"""Join key and Feast's name of its type, sorted as they are in the names of values."""


class Lookup:
    """The names to fetch for some rows, and how the answer comes of what is found."""

    def __init__(self, given: dict[str, list[Any]], types: Mapping[str, Any], rows: int) -> None:
        self._given, self._types, self._rows = given, types, rows
        self._parts: dict[tuple[str, str], list[bytes | None]] = {}
        self._entities: dict[Keys, tuple[list[bytes], np.ndarray | None]] = {}
        self._views: list[tuple] = []
        self.names: list[bytes] = []

    def add(
        self,
        table: FeatureView,
        schema: Schema,
        prefix: bytes,
        keys: Keys,
        wanted: list[tuple[int, str, str]],
    ) -> None:
        """Ask for some features of a view.

        Raises:
            InputError: a join key is not given, or a value cannot be such a key.
        """
        entities, places = self._distinct(table, keys)
        start = len(self.names)
        self.names += [prefix + entity + b"}" for entity in entities]
        self._views.append((table.ttl, schema, wanted, slice(start, len(self.names)), places))

    def response(self, found: list[bytes | None], older: KnownSchemas) -> PackedResponse:
        """The answer, of which nothing is built yet."""
        answers = []
        for ttl, schema, wanted, where, places in self._views:
            block = decode(found[where], schema, older.of(schema.view))
            answers.append(Answer(block, too_old(block, ttl), places, wanted))
        return PackedResponse(self._rows, self._given, self._types, answers)

    def _distinct(self, table: FeatureView, keys: Keys) -> tuple[list[bytes], np.ndarray | None]:
        """Distinct entities, and each row's place among them (-1 for a null key); None if they are the rows."""
        if keys in self._entities:
            return self._entities[keys]
        absent = [key for key, _ in keys if key not in self._given]
        if absent:
            raise InputError(
                expected=f"the join key {absent[0]!r} of the view {table.name} in every entity row",
                found=f"{sorted(self._given)}",
                next_command=f"add {absent[0]!r} to the entity rows",
            )
        for key in keys:
            if key not in self._parts:
                self._parts[key] = self._converted(*key)
        if not keys:
            rows: list[bytes | None] = [b""] * self._rows
        elif len(keys) == 1:
            rows = self._parts[keys[0]]
        else:
            columns = zip(*(self._parts[key] for key in keys), strict=True)
            rows = [None if None in row else entity_key.entity(row) for row in columns]  # type: ignore[arg-type]
        distinct: dict[bytes, int] = {}
        places = [-1 if row is None else distinct.setdefault(row, len(distinct)) for row in rows]
        is_same = len(distinct) == len(rows)
        self._entities[keys] = (list(distinct), None if is_same else np.array(places, np.int64))
        return self._entities[keys]

    def _converted(self, key: str, dtype: str) -> list[bytes | None]:
        """A column of keys as bytes; what the answer repeats of it is converted, too."""
        values = self._given[key]
        if Value in set(map(type, values)):
            values = list(map(unwrapped, values))
        parts = key_parts(values, dtype, key)
        self._given[key] = key_values(values, dtype, key)
        return parts


def columns_of(entity_rows: Any, entity_names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Entity rows by column; entity names (which Feast still takes) become join keys."""
    if isinstance(entity_rows, list):
        names = entity_rows[0].keys() if entity_rows else ()
        if any(row.keys() != names for row in entity_rows):
            raise ValueError("All entity_rows must have the same keys.")
        columns = {name: [row[name] for row in entity_rows] for name in names}
    else:
        columns = {name: _listed(values) for name, values in entity_rows.items()}
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError("All entity rows must have the same columns.")
    return {entity_names.get(name, name): values for name, values in columns.items()}


def _listed(values: Any) -> list[Any]:
    if isinstance(values, str | bytes):
        return [values]
    return list(values.val) if hasattr(values, "val") else list(values)


def entities_of(table: FeatureView, keys: Iterable[EntityKey]) -> list[bytes | None]:
    """Entities as in the names of their values; None where a key is missing.

    Raises:
        InputError: a value cannot be a key of its type.
    """
    types = key_types(table)
    return [_entity_of(types, key) for key in keys]


def _entity_of(types: Mapping[str, str], key: EntityKey) -> bytes | None:
    parts = []
    for name, value in sorted(zip(key.join_keys, key.entity_values, strict=True), key=lambda pair: pair[0]):
        if name == DUMMY_ENTITY_ID:
            continue
        converted = key_value(unwrapped(value), types.get(name, "String"), name)
        if converted is None:
            return None
        parts.append(entity_key.part(converted))
    return entity_key.entity(parts)


def entity_key_of(table: FeatureView, entity: bytes) -> EntityKey:
    """Back from the name of a value."""
    types = key_types(table)
    values = []
    for dtype, raw in zip(types.values(), entity_key.parts(entity, len(types)), strict=True):
        value = Value()
        field = {"Int32": "int32_val", "Int64": "int64_val", "UnixTimestamp": "unix_timestamp_val"}.get(dtype)
        if dtype == "Bool":
            value.bool_val = raw == b"1"
        elif field:
            setattr(value, field, int(raw))
        elif dtype == "Bytes":
            value.bytes_val = raw
        else:
            value.string_val = raw.decode()
        values.append(value)
    return EntityKey(join_keys=list(types), entity_values=values)


def too_old(block: Block | Mixed, ttl: timedelta | None) -> np.ndarray:
    """(rows,) whether a value is there, but older than its view allows."""
    if not ttl:
        return np.zeros(len(block), bool)
    oldest = (clock.seconds() - ttl.total_seconds()) * 1_000_000
    return (block.event < oldest) & (block.event != UNKNOWN_TIME)
