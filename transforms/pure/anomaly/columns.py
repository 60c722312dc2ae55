"""Encoding of feature rows as one matrix: numbers on one scale, words as columns of their own.

A missing number is encoded as the mean, and marked in a second column: a value that is missing for the first time is
unusual.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from feature_repo.errors import InputError

FARTHEST = 10.0
"""Standard deviations at which values are clipped, so that one broken counter does not hide the other columns."""
STILL = 1e-2
"""Standard deviation that is assumed for a constant column: any other value is far out."""


@dataclass(frozen=True)
class Numeric:
    """The encoding of one feature of numbers.

    Attributes:
        name: name of the feature.
        log: whether the logarithm of 1 + value is taken, for counts and sizes.
        mean: mean of the (logarithms of the) values.
        scale: standard deviation of the (logarithms of the) values.
        missing: share of the rows without a value.
    """

    name: str
    log: bool
    mean: float
    scale: float
    missing: float


@dataclass(frozen=True)
class Words:
    """The encoding of one feature of words.

    Attributes:
        name: name of the feature.
        known: distinct words in the fitted rows.
        shares: share of each word among the rows.
    """

    name: str
    known: list[str]
    shares: list[float]


@dataclass(frozen=True)
class Columns:
    """The encoding of feature rows as a matrix.

    Attributes:
        columns: encodings of the features, in order.
    """

    columns: list[Numeric | Words]

    @classmethod
    def fit(cls, rows: Mapping[str, np.ndarray]) -> "Columns":
        """Fit to normal rows: feature → (n,) numbers with NaN, or objects (texts) with None.

        Raises:
            InputError: a feature has no value at all.
        """
        columns: list[Numeric | Words] = []
        for name, values in rows.items():
            if values.dtype == object:
                texts = [value for value in values if value is not None]
                words, counts = np.unique(np.array(texts, str), return_counts=True)
                columns.append(Words(name, words.tolist(), (counts / max(len(values), 1)).tolist()))
                continue
            numbers = np.asarray(values, np.float64)
            missing = float(np.isnan(numbers).mean())
            numbers = numbers[np.isfinite(numbers)]
            if not len(numbers):
                raise InputError(
                    expected=f"values of the feature {name!r}",
                    found="all of them missing",
                    next_command="refrain build  (or leave the feature out of the service)",
                )
            log = bool(numbers.min() >= 0 and numbers.max() > 1.5)
            scaled = np.log1p(numbers) if log else numbers
            spread = float(scaled.std())
            columns.append(Numeric(name, log, float(scaled.mean()), spread if spread > 1e-9 else STILL, missing))
        return cls(columns)

    @property
    def names(self) -> list[str]:
        """Names of the features."""
        return [column.name for column in self.columns]

    @property
    def owners(self) -> np.ndarray:
        """(d,) index of the feature of each column of the matrix."""
        widths = [2 if isinstance(column, Numeric) else len(column.known) + 1 for column in self.columns]
        return np.repeat(np.arange(len(widths)), widths)

    def encode(self, rows: Mapping[str, Sequence[Any] | np.ndarray], farthest: float = FARTHEST) -> np.ndarray:
        """Encode rows as (n, d) float64, clipped at ``farthest``; columns have mean 0 and deviation 1 for normal rows.

        Raises:
            InputError: a feature is missing; the message names it.
        """
        absent = [name for name in self.names if name not in rows]
        if absent:
            raise InputError(
                expected=f"the features {self.names}",
                found=f"no {absent}",
                next_command=f"add {absent[0]!r}, with missing values where it is not known",
            )
        matrix = np.column_stack([_encode(column, rows[column.name]) for column in self.columns])
        return np.clip(np.nan_to_num(matrix, posinf=farthest, neginf=-farthest), -farthest, farthest)

    def as_json(self) -> list[dict[str, Any]]:
        """Serialize for a bundle's manifest."""
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_json(cls, columns: Sequence[Mapping[str, Any]]) -> "Columns":
        """Deserialize the value of ``as_json``."""
        return cls([Words(**column) if "known" in column else Numeric(**column) for column in columns])


def _encode(column: Numeric | Words, values: Sequence[Any] | np.ndarray) -> np.ndarray:
    if isinstance(column, Numeric):
        numbers = np.array([np.nan if value is None else value for value in values], np.float64)
        scaled = np.log1p(np.maximum(numbers, 0)) if column.log else numbers
        # the logarithm would hide minus infinity; both infinities are far out, not missing
        scaled = np.where(numbers == -np.inf, -np.inf, scaled)
        standardized = (scaled - column.mean) / column.scale
        absent = np.isnan(numbers)
        missing_scale = max(np.sqrt(column.missing * (1 - column.missing)), STILL)
        return np.column_stack([np.where(absent, 0.0, standardized), (absent - column.missing) / missing_scale])
    column_of = {word: number for number, word in enumerate(column.known)}
    unknown_column = len(column.known)
    one_hot = np.zeros((len(values), unknown_column + 1))
    for row, value in enumerate(values):
        if value is not None:
            one_hot[row, column_of.get(str(value), unknown_column)] = 1
    shares = np.array([*column.shares, 0.0])
    scale = np.maximum(np.sqrt(shares * (1 - shares)), STILL)
    is_present = np.array([value is not None for value in values])[:, None]
    return np.where(is_present, (one_hot - shares) / scale, 0.0)
