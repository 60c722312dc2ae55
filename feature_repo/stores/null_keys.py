"""Support for null keys in Feast's own lookup, which sorts key values and fails on null."""

from collections.abc import Mapping, Sequence
from typing import Any

from feast import FeatureView
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.stores.protobuf import unwrapped

_PLACEHOLDERS = {"Bytes": Value(bytes_val=b""), "Bool": Value(bool_val=False)}
_PLACEHOLDER = Value(int64_val=0)


class NullKeys:
    """Replaces null keys by placeholders for the lookup, then blanks their results.

    Args:
        grouped: views and the requested features of each.
        keys: join key → (rows,) values.
        entity_names: entity → join key.

    Attributes:
        grouped: as the argument.
        filled: join key → (rows,) values without nulls.
    """

    def __init__(
        self,
        grouped: Sequence[tuple[FeatureView, list[str]]],
        keys: Mapping[str, Sequence[Value]],
        entity_names: Mapping[str, str],
    ) -> None:
        self.grouped, self._entity_names = list(grouped), entity_names
        self._null_rows = {
            key: {row for row, value in enumerate(values) if unwrapped(value) is None} for key, values in keys.items()
        }
        self.filled = {key: self._fill(key, values) for key, values in keys.items()}

    def _fill(self, key: str, values: Sequence[Value]) -> Sequence[Value]:
        null_rows = self._null_rows[key]
        if not null_rows:
            return values
        types = [str(field.dtype) for table, _ in self.grouped for field in table.entity_columns if field.name == key]
        placeholder = next(
            (value for row, value in enumerate(values) if row not in null_rows),
            _PLACEHOLDERS.get(types[0], _PLACEHOLDER) if types else _PLACEHOLDER,
        )
        return [placeholder if row in null_rows else value for row, value in enumerate(values)]

    def blank(self, response: GetOnlineFeaturesResponse) -> None:
        """Marks the results of null keys as not found. The response ends with the results of the views, in order."""
        if not any(self._null_rows.values()):
            return
        count = sum(len(features) for _, features in self.grouped)
        results = iter(response.results[len(response.results) - count :])
        for table, features in self.grouped:
            rows = self._rows_with_null_key(table)
            for _ in features:
                result = next(results)
                for row in rows:
                    result.values[row].CopyFrom(Value())
                    result.statuses[row] = FieldStatus.NOT_FOUND
                    result.event_timestamps[row].Clear()

    def _rows_with_null_key(self, table: FeatureView) -> set[int]:
        aliases: Mapping[str, str] = table.projection.join_key_map
        join_keys: list[Any] = [self._entity_names[entity] for entity in table.entities]
        requested_keys = {*join_keys, *(aliases.get(key, key) for key in join_keys)}
        rows: set[int] = set()
        return rows.union(*(self._null_rows.get(key, set()) for key in requested_keys))
