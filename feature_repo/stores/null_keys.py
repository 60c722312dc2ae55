"""Null keys in Feast's own lookup, whose code sorts the values of keys and has no order for what is not there."""

from collections.abc import Mapping, Sequence
from typing import Any

from feast import FeatureView
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.stores.protobuf import unwrapped

_FILLERS = {"Bytes": Value(bytes_val=b""), "Bool": Value(bool_val=False)}
_FILLER = Value(int64_val=0)


class NullKeys:
    """Reads with a stand-in where a key is null, and takes what that finds out of the answer.

    Args:
        grouped: views and the features that are wanted of each.
        keys: join key → (rows,) values.
        entity_names: entity → join key.
    """

    def __init__(
        self,
        grouped: Sequence[tuple[FeatureView, list[str]]],
        keys: Mapping[str, Sequence[Value]],
        entity_names: Mapping[str, str],
    ) -> None:
        self.grouped, self._entity_names = list(grouped), entity_names
        self._null = {
            key: {row for row, value in enumerate(values) if unwrapped(value) is None} for key, values in keys.items()
        }
        self.filled = {key: self._fill(key, values) for key, values in keys.items()}

    def _fill(self, key: str, values: Sequence[Value]) -> Sequence[Value]:
        null = self._null[key]
        if not null:
            return values
        types = [str(field.dtype) for table, _ in self.grouped for field in table.entity_columns if field.name == key]
        filler = next(
            (value for row, value in enumerate(values) if row not in null),
            _FILLERS.get(types[0], _FILLER) if types else _FILLER,
        )
        return [filler if row in null else value for row, value in enumerate(values)]

    def blank(self, response: GetOnlineFeaturesResponse) -> None:
        """Nothing is found by a null key; results stand in the order of the views, those of the answer's end."""
        if not any(self._null.values()):
            return
        count = sum(len(features) for _, features in self.grouped)
        results = iter(response.results[len(response.results) - count :])
        for table, features in self.grouped:
            rows = self._rows(table)
            for _ in features:
                result = next(results)
                for row in rows:
                    result.values[row].CopyFrom(Value())
                    result.statuses[row] = FieldStatus.NOT_FOUND
                    result.event_timestamps[row].Clear()

    def _rows(self, table: FeatureView) -> set[int]:
        aliases: Mapping[str, str] = table.projection.join_key_map
        own: list[Any] = [self._entity_names[entity] for entity in table.entities]
        asked = {*own, *(aliases.get(key, key) for key in own)}
        found: set[int] = set()
        return found.union(*(self._null.get(key, set()) for key in asked))
