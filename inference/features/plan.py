"""What follows from the manifest, once for all lookups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from feature_repo.keys import key_parts
from feature_repo.manifest import Service, View
from feature_repo.packed import entity_key
from feature_repo.packed.schema import Schema
from feature_repo.packed.schemas import KnownSchemas
from feature_repo.packed.server import Server
from inference.features.entities import Column, distinct_entities
from inference.features.matrix import Matrix, matrix_of

Keys = tuple[tuple[str, str], ...]
"""Join key and Feast's name of its type, sorted by name."""

_ALONE = (str, bytes)
_NUMBERS = {"Int64", "Int32", "Float64", "Float32", "Bool", "UnixTimestamp"}


@dataclass(frozen=True)
class Lookup:
    """One view of the service.

    Attributes:
        group: number of its join keys among the distinct ones.
        prefix: of its keys in Redis.
    """

    view: View
    schema: Schema
    group: int
    prefix: bytes


class Plan:
    """What follows from the manifest, once for all lookups."""

    def __init__(self, service: Service, defaults: Mapping[str, float | str], server: Server) -> None:
        self.service = service
        self.groups = list(dict.fromkeys(map(_keys, service.views)))
        self._keys: Keys = tuple(dict.fromkeys(key for group in self.groups for key in group))
        self.lookups = [
            Lookup(
                view,
                Schema.of(view.name, view.columns),
                self.groups.index(_keys(view)),
                entity_key.prefix(service.project, view.name),
            )
            for view in service.views
        ]
        self.number = {view.name: number for number, view in enumerate(service.views)}
        self.stored = {
            f"{view.name}__{column[0]}": (number, column[0])
            for number, view in enumerate(service.views)
            for column in view.columns
        }
        """``view__feature`` → number of the view and the feature: names of views may have ``__`` in them, too."""
        declared = {f"{view.name}__{name}": value for view in service.views for name, value in view.defaults}
        self.defaults = declared | dict(defaults)
        self.numeric = tuple(name for name, dtype in service.features if dtype in _NUMBERS)
        self.names = dict(service.features)
        known = KnownSchemas(server, service.project)
        self.older = [known.of(view.name) for view in service.views]
        self._matrices: dict[tuple[str, ...], Matrix] = {}

    def entities(self, keys: Mapping[str, Sequence[Any]]) -> tuple[int, list[list[bytes]], list[np.ndarray | None]]:
        """Number of rows; per group the distinct entities and the place of each row among them.

        Raises:
            InputError: a key is not given or cannot be one of its type, or lengths differ.
        """
        absent = [key for key in self.service.join_keys if key not in keys]
        lengths = {1 if isinstance(values, _ALONE) else len(values) for values in keys.values()} - {1}
        if absent or len(lengths) > 1:
            raise InputError(
                expected=f"values of one length (or a single one) for {list(self.service.join_keys)}",
                found=f"no {absent}" if absent else f"lengths {sorted(lengths)}",
                next_command=f"add {absent[0]} to the keys" if absent else "pass lists of one length",
            )
        length = lengths.pop() if lengths else 1
        columns = {(key, dtype): Column.of(key_parts(keys[key], dtype, key)) for key, dtype in self._keys}
        found, places = [], []
        for group in self.groups:
            distinct, place = distinct_entities([columns[key] for key in group], length)
            found.append(distinct)
            places.append(place)
        return length, found, places

    def names_of(self, entities: Sequence[Sequence[bytes]]) -> list[bytes]:
        """Keys in Redis of all views, one view after the other."""
        return [lookup.prefix + entity for lookup in self.lookups for entity in entities[lookup.group]]

    def matrix(self, names: tuple[str, ...]) -> "Matrix":
        """How a matrix of these features is put together.

        Raises:
            InputError: one of the names is no numeric feature of the service.
        """
        found = self._matrices.get(names)
        if found is None:
            if len(self._matrices) > 100:
                self._matrices.clear()
            found = self._matrices[names] = matrix_of(
                names, self.numeric, self.stored, [lookup.schema for lookup in self.lookups]
            )
        return found


def _keys(view: View) -> Keys:
    return tuple(zip(view.join_keys, view.key_types, strict=True))
