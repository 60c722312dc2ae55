"""Feast's response to an online lookup, on packed columns; protobufs are built lazily."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from feast.online_response import TIMESTAMP_POSTFIX, OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from google.protobuf.timestamp_pb2 import Timestamp

from feature_repo.packed.decode import Block, Mixed
from feature_repo.packed.schema import UNKNOWN_TIME, Column
from feature_repo.stores.protobuf import python_values, to_values, unwrapped


@dataclass(frozen=True)
class ViewRows:
    """The values of one view in a response.

    Attributes:
        block: packed values, one per distinct entity.
        too_old: (entities,) whether the row is older than the view's ttl.
        places: (rows,) entity index of each row, -1 for a null key; None if rows and entities are the same.
        features: position in the response, name in the response, and name in the view, for each feature.
    """

    block: Block | Mixed
    too_old: np.ndarray
    places: np.ndarray | None
    features: Sequence[tuple[int, str, str]]

    def spread(self, values: list[Any], missing: Any) -> list[Any]:
        """Expands values of entities to values of rows; rows without a valid value get ``missing``."""
        if self.too_old.any():
            values = [missing if is_old else value for value, is_old in zip(values, self.too_old.tolist(), strict=True)]
        if self.places is None:
            return values
        return [missing if place < 0 else values[place] for place in self.places.tolist()]

    def column(self, feature: str) -> Column:
        """Returns the packed column of a feature."""
        return self.block.schema.columns[self.block.schema.index[feature]]


class PackedResponse(OnlineResponse):
    """An ``OnlineResponse`` on packed values. Join keys come first, then features in the requested order."""

    def __init__(
        self, rows: int, keys: Mapping[str, list[Any]], types: Mapping[str, Any], views: Sequence[ViewRows]
    ) -> None:
        self._rows, self._keys, self._types, self._views = rows, keys, types, views
        self._feature_types = {}
        self._proto: GetOnlineFeaturesResponse | None = None

    def _features(self) -> list[tuple[str, ViewRows, Column]]:
        features = [
            (place, name, view, view.column(feature)) for view in self._views for place, name, feature in view.features
        ]
        return [(name, view, column) for _, name, view, column in sorted(features, key=lambda item: item[0])]

    def to_dict(self, include_event_timestamps: bool = False) -> dict[str, Any]:
        """Returns name → (rows,) Python values."""
        out: dict[str, Any] = {}
        for name, values in self._keys.items():
            out[name] = [unwrapped(value) for value in values]
            if include_event_timestamps:
                out[name + TIMESTAMP_POSTFIX] = [0] * self._rows
        seconds: dict[int, list[int]] = {}
        for name, view, column in self._features():
            out[name] = view.spread(python_values(view.block, column), None)
            if include_event_timestamps:
                if id(view) not in seconds:
                    event_seconds = np.where(view.block.event == UNKNOWN_TIME, 0, view.block.event // 1_000_000)
                    seconds[id(view)] = view.spread(event_seconds.tolist(), 0)
                out[name + TIMESTAMP_POSTFIX] = seconds[id(view)]
        return out

    @property
    def proto(self) -> GetOnlineFeaturesResponse:  # type: ignore[override]
        """The response as a protobuf, built on first use."""
        if self._proto is None:
            self._proto = self._build()
        return self._proto

    def _build(self) -> GetOnlineFeaturesResponse:
        response = GetOnlineFeaturesResponse(results=[])
        no_times = [Timestamp()] * self._rows
        for name, values in self._keys.items():
            response.metadata.feature_names.val.append(name)
            protos = values
            if not all(isinstance(value, Value) for value in values):
                protos = python_values_to_proto_values([unwrapped(v) for v in values], self._types[name])
            response.results.append(
                GetOnlineFeaturesResponse.FeatureVector(
                    values=protos, statuses=[FieldStatus.PRESENT] * self._rows, event_timestamps=no_times
                )
            )
        event_times = {id(view): view.spread(_timestamps(view.block.event), Timestamp()) for view in self._views}
        for name, view, column in self._features():
            response.metadata.feature_names.val.append(name)
            exists = view.block.event != UNKNOWN_TIME
            status = np.where(view.block.is_null(column.name), FieldStatus.NULL_VALUE, FieldStatus.PRESENT)
            status = np.where(view.too_old, FieldStatus.OUTSIDE_MAX_AGE, status)
            statuses = np.where(exists, status, FieldStatus.NOT_FOUND).tolist()
            if view.places is not None:
                statuses = [FieldStatus.NOT_FOUND if place < 0 else statuses[place] for place in view.places.tolist()]
            response.results.append(
                GetOnlineFeaturesResponse.FeatureVector(
                    values=view.spread(to_values(view.block, column), Value()),
                    statuses=statuses,
                    event_timestamps=event_times[id(view)],
                )
            )
        return response


def _timestamps(events: np.ndarray) -> list[Timestamp]:
    return [
        Timestamp() if event == UNKNOWN_TIME else Timestamp(seconds=event // 1_000_000, nanos=event % 1_000_000 * 1000)
        for event in events.tolist()
    ]
