"""Encoding of feature columns as numbers: numbers unchanged, booleans as 0 and 1, categorical texts one-hot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.errors import InputError

MOST_KINDS = 12
"""Most distinct texts of a categorical column; columns with more are left out."""


@dataclass(frozen=True)
class Column:
    """The encoding of one feature.

    Attributes:
        name: name of the feature as ``view__feature``.
        kinds: categories of a text, each a column of 0 and 1; empty for a number.
    """

    name: str
    kinds: tuple[str, ...] = ()

    @property
    def outputs(self) -> list[str]:
        """Names of the feature's columns in the matrix."""
        return [f"{self.name}={kind}" for kind in self.kinds] or [self.name]


@dataclass(frozen=True)
class Layout:
    """The encoding of features as a matrix.

    Attributes:
        columns: encodings of the features, in order.
    """

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, features: Mapping[str, np.ndarray]) -> "Layout":
        """Fit to a training set: uses numbers and texts with few distinct values; vectors and other texts are left out.

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
        """Names of the features, in order."""
        return [column.name for column in self.columns]

    @property
    def outputs(self) -> list[str]:
        """Names of the matrix columns, in order."""
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
                next_command="pull the model's own feature service: refrain model list",
            )
        parts = [part for column in self.columns for part in _numbers(column, features[column.name])]
        return np.column_stack(parts).astype(np.float32) if parts else np.empty((0, 0), np.float32)

    def as_json(self) -> list[dict[str, Any]]:
        """Serialize for a manifest."""
        return [{"name": column.name, "kinds": list(column.kinds)} for column in self.columns]

    @classmethod
    def from_json(cls, columns: Sequence[Mapping[str, Any]]) -> "Layout":
        """Deserialize the value of ``as_json``."""
        return cls(tuple(Column(str(column["name"]), tuple(column["kinds"])) for column in columns))


def _numbers(column: Column, values: np.ndarray) -> list[np.ndarray]:
    if not column.kinds:
        return [np.asarray(values, np.float64)]
    return [np.array([float(value == kind) for value in values.tolist()]) for kind in column.kinds]
