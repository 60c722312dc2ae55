"""Feature rows as one matrix: numbers on one scale, words as columns of their own.

A missing number lies in the middle, and has a second column that says so: what was never missing is telling when it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from feature_repo.errors import InputError

FARTHEST = 10.0
"""Standard deviations beyond which all is the same: one broken counter must not hide the other columns."""
STILL = 1e-2
"""Standard deviation of a column that never varied: any other value lies far out."""


@dataclass(frozen=True)
class Numeric:
    """One column of numbers.

    Attributes:
        name: of the feature.
        log: whether the logarithm of 1 + value is taken: counts and sizes.
        mean: of the (logarithm of the) values.
        scale: their standard deviation.
        missing: share of the rows without a value.
    """

    name: str
    log: bool
    mean: float
    scale: float
    missing: float


@dataclass(frozen=True)
class Words:
    """One column of words.

    Attributes:
        name: of the feature.
        known: every word that was seen.
        shares: of each among the rows.
    """

    name: str
    known: list[str]
    shares: list[float]


@dataclass(frozen=True)
class Columns:
    """How rows become a matrix.

    Attributes:
        columns: one a feature, in order.
    """

    columns: list[Numeric | Words]

    @classmethod
    def fit(cls, rows: Mapping[str, np.ndarray]) -> "Columns":
        """From normal rows: feature → (n,) numbers with NaN, or objects (texts) with None.

        Raises:
            InputError: a feature has no value at all.
        """
        found: list[Numeric | Words] = []
        for name, values in rows.items():
            if values.dtype == object:
                texts = [value for value in values if value is not None]
                words, counts = np.unique(np.array(texts, str), return_counts=True)
                found.append(Words(name, words.tolist(), (counts / max(len(values), 1)).tolist()))
                continue
            numbers = np.asarray(values, np.float64)
            missing = float(np.isnan(numbers).mean())
            numbers = numbers[np.isfinite(numbers)]
            if not len(numbers):
                raise InputError(
                    expected=f"values of the feature {name!r}",
                    found="all of them missing",
                    next_command="python -m transforms build  (or leave the feature out of the service)",
                )
            log = bool(numbers.min() >= 0 and numbers.max() > 1.5)
            scaled = np.log1p(numbers) if log else numbers
            spread = float(scaled.std())
            found.append(Numeric(name, log, float(scaled.mean()), spread if spread > 1e-9 else STILL, missing))
        return cls(found)

    @property
    def names(self) -> list[str]:
        """The features."""
        return [column.name for column in self.columns]

    @property
    def owners(self) -> np.ndarray:
        """(d,) number of the feature that each column of the matrix comes from."""
        widths = [2 if isinstance(column, Numeric) else len(column.known) + 1 for column in self.columns]
        return np.repeat(np.arange(len(widths)), widths)

    def encode(self, rows: Mapping[str, Sequence[Any] | np.ndarray], farthest: float = FARTHEST) -> np.ndarray:
        """(n, d) float64, every column about 0 with standard deviation 1 among normal rows, none beyond ``farthest``.

        Raises:
            InputError: a feature is not there; it is named.
        """
        absent = [name for name in self.names if name not in rows]
        if absent:
            raise InputError(
                expected=f"the features {self.names}",
                found=f"no {absent}",
                next_command=f"add {absent[0]!r}, with missing values where it is not known",
            )
        found = np.column_stack([_encoded(one, rows[one.name]) for one in self.columns])
        return np.clip(np.nan_to_num(found, posinf=farthest, neginf=-farthest), -farthest, farthest)

    def as_json(self) -> list[dict[str, Any]]:
        """For a bundle's manifest."""
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_json(cls, told: Sequence[Mapping[str, Any]]) -> "Columns":
        """From ``as_json``."""
        return cls([Words(**one) if "known" in one else Numeric(**one) for one in told])


def _encoded(column: Numeric | Words, values: Sequence[Any] | np.ndarray) -> np.ndarray:
    if isinstance(column, Numeric):
        numbers = np.array([np.nan if value is None else value for value in values], np.float64)
        scaled = np.log1p(np.maximum(numbers, 0)) if column.log else numbers
        # minus infinity would be hidden by the logarithm; both infinities are far out, not missing
        scaled = np.where(numbers == -np.inf, -np.inf, scaled)
        away = (scaled - column.mean) / column.scale
        absent = np.isnan(numbers)
        doubt = max(np.sqrt(column.missing * (1 - column.missing)), STILL)
        return np.column_stack([np.where(absent, 0.0, away), (absent - column.missing) / doubt])
    place = {word: number for number, word in enumerate(column.known)}
    stranger = len(column.known)
    hot = np.zeros((len(values), stranger + 1))
    for row, value in enumerate(values):
        if value is not None:
            hot[row, place.get(str(value), stranger)] = 1
    shares = np.array([*column.shares, 0.0])
    scale = np.maximum(np.sqrt(shares * (1 - shares)), STILL)
    given = np.array([value is not None for value in values])[:, None]
    return np.where(given, (hot - shares) / scale, 0.0)
