"""Plans an online lookup: from entity rows to names of packed values, and from packed values to Feast's response."""

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
from feature_repo.stores.online_response import PackedResponse, ViewRows
from feature_repo.stores.protobuf import key_types, unwrapped

Keys = tuple[tuple[str, str], ...]
"""Join key and Feast's name of its type, in the order in which they occur in the names of packed values."""


class Lookup:
    """The names of packed values to fetch for entity rows, and how to build the response from them.

    Attributes:
        names: names to fetch, in order.
    """

    def __init__(self, key_columns: dict[str, list[Any]], types: Mapping[str, Any], rows: int) -> None:
        self._key_columns, self._types, self._rows = key_columns, types, rows
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
        features: list[tuple[int, str, str]],
    ) -> None:
        """Adds features of a view to the lookup.

        Raises:
            InputError: a join key is missing, or a value cannot be converted to its type.
        """
        entities, places = self._distinct_entities(table, keys)
        start = len(self.names)
        self.names += [prefix + entity + b"}" for entity in entities]
        self._views.append((table.ttl, schema, features, slice(start, len(self.names)), places))

    def response(self, values: list[bytes | None], known_schemas: KnownSchemas) -> PackedResponse:
        """Returns the response, which builds its content lazily."""
        view_rows = []
        for ttl, schema, features, span, places in self._views:
            block = decode(values[span], schema, known_schemas.of(schema.view))
            view_rows.append(ViewRows(block, too_old(block, ttl), places, features))
        return PackedResponse(self._rows, self._key_columns, self._types, view_rows)

    def _distinct_entities(self, table: FeatureView, keys: Keys) -> tuple[list[bytes], np.ndarray | None]:
        """Returns the distinct entities and the index of each row's entity, -1 for a null key; None if all differ."""
        if keys in self._entities:
            return self._entities[keys]
        missing = [key for key, _ in keys if key not in self._key_columns]
        if missing:
            raise InputError(
                expected=f"the join key {missing[0]!r} of the view {table.name} in every entity row",
                found=f"{sorted(self._key_columns)}",
                next_command=f"add {missing[0]!r} to the entity rows",
            )
        for key in keys:
            if key not in self._parts:
                self._parts[key] = self._convert_keys(*key)
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

    def _convert_keys(self, key: str, dtype: str) -> list[bytes | None]:
        """Converts a column of keys to bytes, and the key column of the response to its declared type."""
        values = self._key_columns[key]
        if Value in set(map(type, values)):
            values = list(map(unwrapped, values))
        parts = key_parts(values, dtype, key)
        self._key_columns[key] = key_values(values, dtype, key)
        return parts


def columns_of(entity_rows: Any, entity_names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Converts entity rows to columns; entity names, which Feast still accepts, are replaced by join keys."""
    if isinstance(entity_rows, list):
        names = entity_rows[0].keys() if entity_rows else ()
        if any(row.keys() != names for row in entity_rows):
            raise ValueError("All entity_rows must have the same keys.")
        columns = {name: [row[name] for row in entity_rows] for name in names}
    else:
        columns = {name: _to_list(values) for name, values in entity_rows.items()}
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError("All entity rows must have the same columns.")
    return {entity_names.get(name, name): values for name, values in columns.items()}


def _to_list(values: Any) -> list[Any]:
    if isinstance(values, str | bytes):
        return [values]
    return list(values.val) if hasattr(values, "val") else list(values)


def entities_of(table: FeatureView, keys: Iterable[EntityKey]) -> list[bytes | None]:
    """Encodes entity keys as in the names of packed values; None where a key is missing.

    Raises:
        InputError: a value cannot be converted to the key's type.
    """
    types = key_types(table)
    return [_entity_of(types, key) for key in keys]


def _entity_of(types: Mapping[str, str], key: EntityKey) -> bytes | None:
    parts = []
    for name, value in sorted(zip(key.join_keys, key.entity_values, strict=True), key=lambda pair: pair[0]):
        if name == DUMMY_ENTITY_ID:
            continue
        key_part = key_value(unwrapped(value), types.get(name, "String"), name)
        if key_part is None:
            return None
        parts.append(entity_key.part(key_part))
    return entity_key.entity(parts)


def entity_key_of(table: FeatureView, entity: bytes) -> EntityKey:
    """Decodes an entity from the name of a packed value to Feast's ``EntityKey``."""
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
    """Returns (rows,) whether a row exists but is older than its view's ttl."""
    if not ttl:
        return np.zeros(len(block), bool)
    oldest = (clock.seconds() - ttl.total_seconds()) * 1_000_000
    return (block.event < oldest) & (block.event != UNKNOWN_TIME)
