"""Feast's answer to an online lookup, on packed columns: protobufs are built when somebody asks for them."""

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
class Answer:
    """What one view answered.

    Attributes:
        block: one value for each distinct entity.
        too_old: (entities,) bool.
        places: (rows,) entity of each row, -1 for a null key; None if the rows are the entities.
        wanted: place in the answer, name in the answer, and name of each feature.
    """

    block: Block | Mixed
    too_old: np.ndarray
    places: np.ndarray | None
    wanted: Sequence[tuple[int, str, str]]

    def spread(self, values: list[Any], missing: Any) -> list[Any]:
        """Values of the entities as values of the rows."""
        if self.too_old.any():
            values = [missing if old else value for value, old in zip(values, self.too_old.tolist(), strict=True)]
        if self.places is None:
            return values
        return [missing if place < 0 else values[place] for place in self.places.tolist()]

    def column(self, feature: str) -> Column:
        """Of a feature."""
        return self.block.schema.columns[self.block.schema.index[feature]]


class PackedResponse(OnlineResponse):
    """As Feast's ``OnlineResponse``; columns come in the order in which they were asked for, join keys first."""

    def __init__(
        self, rows: int, keys: Mapping[str, list[Any]], types: Mapping[str, Any], answers: Sequence[Answer]
    ) -> None:
        self._rows, self._keys, self._types, self._answers = rows, keys, types, answers
        self._feature_types = {}
        self._proto: GetOnlineFeaturesResponse | None = None

    def _features(self) -> list[tuple[str, Answer, Column]]:
        found = [
            (place, name, answer, answer.column(feature))
            for answer in self._answers
            for place, name, feature in answer.wanted
        ]
        return [(name, answer, column) for _, name, answer, column in sorted(found, key=lambda item: item[0])]

    def to_dict(self, include_event_timestamps: bool = False) -> dict[str, Any]:
        """Name → (rows,) Python values."""
        out: dict[str, Any] = {}
        for name, values in self._keys.items():
            out[name] = [unwrapped(value) for value in values]
            if include_event_timestamps:
                out[name + TIMESTAMP_POSTFIX] = [0] * self._rows
        seconds: dict[int, list[int]] = {}
        for name, answer, column in self._features():
            out[name] = answer.spread(python_values(answer.block, column), None)
            if include_event_timestamps:
                if id(answer) not in seconds:
                    known = np.where(answer.block.event == UNKNOWN_TIME, 0, answer.block.event // 1_000_000)
                    seconds[id(answer)] = answer.spread(known.tolist(), 0)
                out[name + TIMESTAMP_POSTFIX] = seconds[id(answer)]
        return out

    @property
    def proto(self) -> GetOnlineFeaturesResponse:  # type: ignore[override]
        """The protobuf form, built on first use."""
        if self._proto is None:
            self._proto = self._build()
        return self._proto

    def _build(self) -> GetOnlineFeaturesResponse:
        response = GetOnlineFeaturesResponse(results=[])
        nowhen = [Timestamp()] * self._rows
        for name, values in self._keys.items():
            response.metadata.feature_names.val.append(name)
            protos = values
            if not all(isinstance(value, Value) for value in values):
                protos = python_values_to_proto_values([unwrapped(v) for v in values], self._types[name])
            response.results.append(
                GetOnlineFeaturesResponse.FeatureVector(
                    values=protos, statuses=[FieldStatus.PRESENT] * self._rows, event_timestamps=nowhen
                )
            )
        whens = {id(answer): answer.spread(_timestamps(answer.block.event), Timestamp()) for answer in self._answers}
        for name, answer, column in self._features():
            response.metadata.feature_names.val.append(name)
            there = answer.block.event != UNKNOWN_TIME
            status = np.where(answer.block.is_null(column.name), FieldStatus.NULL_VALUE, FieldStatus.PRESENT)
            status = np.where(answer.too_old, FieldStatus.OUTSIDE_MAX_AGE, status)
            statuses = np.where(there, status, FieldStatus.NOT_FOUND).tolist()
            if answer.places is not None:
                statuses = [FieldStatus.NOT_FOUND if p < 0 else statuses[p] for p in answer.places.tolist()]
            response.results.append(
                GetOnlineFeaturesResponse.FeatureVector(
                    values=answer.spread(to_values(answer.block, column), Value()),
                    statuses=statuses,
                    event_timestamps=whens[id(answer)],
                )
            )
        return response


def _timestamps(events: np.ndarray) -> list[Timestamp]:
    return [
        Timestamp() if event == UNKNOWN_TIME else Timestamp(seconds=event // 1_000_000, nanos=event % 1_000_000 * 1000)
        for event in events.tolist()
    ]
