"""From Feast's entity rows to the names of packed values, and from what lies under them to Feast's answer."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from feast import FeatureView
from feast.feature_view import DUMMY_ENTITY_ID
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.errors import InputError
from feature_repo.packed import entity_key
from feature_repo.packed.decode import Block, Mixed, decode
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.schemas import KnownSchemas
from feature_repo.stores.online_response import Answer, PackedResponse
from feature_repo.stores.protobuf import unwrapped


class Lookup:
    """The names to fetch for some rows, and how the answer comes of what is found."""

    def __init__(self, given: dict[str, list[Any]], types: Mapping[str, Any], rows: int) -> None:
        self._given, self._types, self._rows = given, types, rows
        self._parts: dict[str, list[bytes | None]] = {}
        self._entities: dict[tuple[str, ...], tuple[list[bytes], np.ndarray | None]] = {}
        self._views: list[tuple] = []
        self.names: list[bytes] = []

    def add(
        self,
        table: FeatureView,
        schema: Schema,
        prefix: bytes,
        keys: tuple[str, ...],
        wanted: list[tuple[int, str, str]],
    ) -> None:
        """Ask for some features of a view."""
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

    def _distinct(self, table: FeatureView, keys: tuple[str, ...]) -> tuple[list[bytes], np.ndarray | None]:
        """Distinct entities, and each row's place among them (-1 for a null key); None if they are the rows."""
        if keys in self._entities:
            return self._entities[keys]
        absent = [key for key in keys if key not in self._given]
        if absent:
            raise InputError(
                expected=f"the join key {absent[0]!r} of the view {table.name} in every entity row",
                found=f"{sorted(self._given)}",
                next_command=f"add {absent[0]!r} to the entity rows",
            )
        for key in keys:
            if key not in self._parts:
                self._parts[key] = entity_key.texts(map(unwrapped, self._given[key]))
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


def columns_of(entity_rows: Any, entity_names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Entity rows by column; entity names (which Feast still takes) become join keys."""
    if isinstance(entity_rows, list):
        names = entity_rows[0].keys() if entity_rows else ()
        if any(row.keys() != names for row in entity_rows):
            raise ValueError("All entity_rows must have the same keys.")
        columns = {name: [row[name] for row in entity_rows] for name in names}
    else:
        columns = {
            name: list(values.val) if hasattr(values, "val") else list(values) for name, values in entity_rows.items()
        }
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError("All entity rows must have the same columns.")
    return {entity_names.get(name, name): values for name, values in columns.items()}


def entity_of(key: EntityKey) -> bytes:
    """As in the name of its values."""
    pairs = sorted(zip(key.join_keys, key.entity_values, strict=True), key=lambda pair: pair[0])
    return entity_key.entity([entity_key.part(unwrapped(value)) for name, value in pairs if name != DUMMY_ENTITY_ID])


def entity_key_of(table: FeatureView, entity: bytes) -> EntityKey:
    """Back from the name of a value."""
    columns = sorted(table.entity_columns, key=lambda column: column.name)
    values = []
    for column, raw in zip(columns, entity_key.parts(entity, len(columns)), strict=True):
        value, dtype = Value(), str(column.dtype)
        field = {"Int32": "int32_val", "Int64": "int64_val", "UnixTimestamp": "unix_timestamp_val"}.get(dtype)
        if field:
            setattr(value, field, int(raw))
        elif dtype == "Bytes":
            value.bytes_val = raw
        else:
            value.string_val = raw.decode()
        values.append(value)
    return EntityKey(join_keys=[column.name for column in columns], entity_values=values)


def too_old(block: Block | Mixed, ttl: timedelta | None) -> np.ndarray:
    """(rows,) whether a value is there, but older than its view allows."""
    if not ttl:
        return np.zeros(len(block), bool)
    oldest = (time.time() - ttl.total_seconds()) * 1_000_000
    return (block.event < oldest) & (block.event != UNKNOWN_TIME)
