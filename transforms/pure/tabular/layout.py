"""Columns of features to columns of numbers: numbers as they are, truths as 0 and 1, few-valued texts one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.errors import InputError

MOST_KINDS = 12
"""Different texts up to which a column of them is told apart."""


@dataclass(frozen=True)
class Column:
    """One feature.

    Attributes:
        name: as in ``view__feature``.
        kinds: texts that are told apart, one column of 0 and 1 each; none for a number.
    """

    name: str
    kinds: tuple[str, ...] = ()

    @property
    def outputs(self) -> list[str]:
        """Names of its columns in the matrix."""
        return [f"{self.name}={kind}" for kind in self.kinds] or [self.name]


@dataclass(frozen=True)
class Layout:
    """Which features, and how each is told in numbers."""

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, features: Mapping[str, np.ndarray]) -> "Layout":
        """Of a training set: numbers, and texts with few different values. Vectors and other texts are left out.

        Args:
            features: name → (n,) float64 with NaN, or objects with None for texts.
        """
        columns = []
        for name, values in features.items():
            if values.ndim != 1:
                continue
            if values.dtype != object:
                columns.append(Column(name))
                continue
            kinds = sorted({value for value in values.tolist() if isinstance(value, str)})
            if 0 < len(kinds) <= MOST_KINDS:
                columns.append(Column(name, tuple(kinds)))
        return cls(tuple(columns))

    @property
    def names(self) -> list[str]:
        """Features, in order."""
        return [column.name for column in self.columns]

    @property
    def outputs(self) -> list[str]:
        """Columns of the matrix, in order."""
        return [name for column in self.columns for name in column.outputs]

    def matrix(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """(n, len(outputs)) float32, NaN for missing; the features may come in any order.

        Raises:
            InputError: a feature is missing.
        """
        absent = [name for name in self.names if name not in features]
        if absent:
            raise InputError(
                expected=f"the features {self.names}",
                found=f"no {absent[0]!r}",
                next_command="pull the model's own feature service: python -m training list",
            )
        found = [part for column in self.columns for part in _numbers(column, features[column.name])]
        return np.column_stack(found).astype(np.float32) if found else np.empty((0, 0), np.float32)

    def as_json(self) -> list[dict[str, Any]]:
        """For a manifest."""
        return [{"name": column.name, "kinds": list(column.kinds)} for column in self.columns]

    @classmethod
    def from_json(cls, told: Sequence[Mapping[str, Any]]) -> "Layout":
        """What ``as_json`` told."""
        return cls(tuple(Column(str(one["name"]), tuple(one["kinds"])) for one in told))


def _numbers(column: Column, values: np.ndarray) -> list[np.ndarray]:
    if not column.kinds:
        return [np.asarray(values, np.float64)]
    return [np.array([float(value == kind) for value in values.tolist()]) for kind in column.kinds]
