"""The plan of a lookup: derived from the manifest once, used by every lookup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from feature_repo.errors import InputError
from feature_repo.manifest import Service, View
from feature_repo.packed import entity_key
from feature_repo.packed.schema import Schema
from feature_repo.packed.schemas import KnownSchemas
from feature_repo.packed.server import Server
from inference.features.entities import GroupKeys, KeyValues
from inference.features.matrix import FunctionInputs, Inputs, Matrix, gathers_of, matrix_of

Keys = tuple[tuple[str, str], ...]
"""Join keys with Feast's names of their types, sorted by name."""

_SCALARS = (str, bytes)
_NUMERIC_TYPES = {"Int64", "Int32", "Float64", "Float32", "Bool", "UnixTimestamp"}


@dataclass(frozen=True)
class Lookup:
    """The lookup of one view of the service.

    Attributes:
        group: index of the view's join keys among the distinct groups of join keys.
        prefix: prefix of the view's keys in Redis.
    """

    view: View
    schema: Schema
    group: int
    prefix: bytes


@dataclass(frozen=True)
class HeldFeatures:
    """The features of one view that a column cache holds.

    Attributes:
        features: all of them.
        numeric: those that the matrix of a model may take.
        inputs: numbers that on-demand functions take.
    """

    features: list[str]
    numeric: list[str]
    inputs: list[str]


class Plan:
    """Everything about a lookup that follows from the manifest alone."""

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
        self.view_index = {view.name: number for number, view in enumerate(service.views)}
        self.stored = {
            f"{view.name}__{column[0]}": (number, column[0])
            for number, view in enumerate(service.views)
            for column in view.columns
        }
        """``view__feature`` → index of the view and the feature: the name of a view may contain ``__`` itself."""
        declared = {f"{view.name}__{name}": value for view in service.views for name, value in view.defaults}
        self.defaults = declared | dict(defaults)
        self.numeric = tuple(name for name, dtype in service.features if dtype in _NUMERIC_TYPES)
        self.names = dict(service.features)
        self._schemas = [lookup.schema for lookup in self.lookups]
        known_schemas = KnownSchemas(server, service.project)
        self.older_schemas = [known_schemas.of(view.name) for view in service.views]
        self._matrices: dict[tuple[str, ...], Matrix] = {}

    def keys(self, keys: Mapping[str, Sequence[Any]]) -> tuple[int, list[GroupKeys]]:
        """Find the number of rows, and the keys of each group of views.

        Raises:
            InputError: a join key is not given or does not fit its type, or lengths differ.
        """
        missing_keys = [key for key in self.service.join_keys if key not in keys]
        lengths = {1 if isinstance(values, _SCALARS) else len(values) for values in keys.values()} - {1}
        if missing_keys or len(lengths) > 1:
            raise InputError(
                expected=f"values of one length (or a single one) for {list(self.service.join_keys)}",
                found=f"no {missing_keys}" if missing_keys else f"lengths {sorted(lengths)}",
                next_command=f"add {missing_keys[0]} to the keys" if missing_keys else "pass lists of one length",
            )
        length = lengths.pop() if lengths else 1
        values = {(key, dtype): KeyValues(keys[key], dtype, key) for key, dtype in self._keys}
        return length, [GroupKeys([values[key] for key in group], length) for group in self.groups]

    def held_features(self, number: int) -> HeldFeatures:
        """List the features of a view that are held: those that the service or its functions read."""
        inputs = {column for function in self.service.functions.values() for column in function.inputs.values()}
        names = {name: feature for name, (view, feature) in self.stored.items() if view == number}
        return HeldFeatures(
            [feature for name, feature in names.items() if name in self.names or name in inputs],
            [feature for name, feature in names.items() if name in self.numeric],
            [feature for name, feature in names.items() if name in inputs and self._is_number(name)],
        )

    @cached_property
    def inputs(self) -> Inputs:
        """The inputs of the on-demand functions."""
        columns: list[tuple[int, str, int]] = []
        by_function = {}
        for name, function in self.service.functions.items():
            inputs = FunctionInputs({}, [], [])
            for column in dict.fromkeys(function.inputs.values()):
                if column in self.stored:
                    inputs.views.append(self.stored[column][0])
                if column in self.stored and self._is_number(column):
                    inputs.numbers[column] = len(columns)
                    columns.append((*self.stored[column], len(columns)))
                else:
                    inputs.others.append(column)
            by_function[name] = inputs
        held = [self.held_features(number).inputs for number in range(len(self.lookups))]
        return Inputs(gathers_of(columns, self._schemas, held), len(columns), by_function)

    def matrix(self, names: tuple[str, ...]) -> "Matrix":
        """Plan the matrix of some features.

        Raises:
            InputError: a name is not a numeric feature of the service.
        """
        matrix = self._matrices.get(names)
        if matrix is None:
            if len(self._matrices) > 100:
                self._matrices.clear()
            held = [self.held_features(number).numeric for number in range(len(self.lookups))]
            matrix = self._matrices[names] = matrix_of(names, self.numeric, self.stored, self._schemas, held)
        return matrix

    def _is_number(self, name: str) -> bool:
        number, feature = self.stored[name]
        schema = self._schemas[number]
        return schema.columns[schema.index[feature]].kind == "number"


def _keys(view: View) -> Keys:
    return tuple(zip(view.join_keys, view.key_types, strict=True))
