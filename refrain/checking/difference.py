"""One difference that a check has found, and the comparison of two values."""

import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from refrain.checking.generate import Reports

TOLERANCE = 1e-6
"""Largest absolute difference of two numbers that counts as rounding."""


@dataclass(frozen=True)
class Difference:
    """A value that is not the expected one.

    Attributes:
        column: the feature column; empty if a check failed as a whole.
        key: join key → value.
        at: the moment, microseconds since 1970; None if there is none.
        expected: the expected value, or what was expected in words.
        found: the value found, or the error.
        expected_from: where the expected value is from.
        found_from: where the found value is from.
        events: the reports of events with which it occurs: of the table's source, then of its dimensions.
    """

    column: str
    key: Mapping[str, Any]
    at: int | None
    expected: Any
    found: Any
    expected_from: str
    found_from: str
    events: Reports = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Crash:
    """An error that stands in the place of a value.

    Attributes:
        text: the error, and the line that raised it.
    """

    text: str

    def __repr__(self) -> str:
        return self.text

    @classmethod
    def of(cls, error: Exception) -> "Crash":
        """Describes an error by its type, its message, and the innermost line of code."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
        return cls(f"{type(error).__name__}: {error}{place}")


def same(found: Any, expected: Any) -> bool:
    """Whether two values are equal; numbers up to rounding, and NaN equals a missing value.

    Args:
        found: the value found.
        expected: the expected value.

    >>> same(0.1 + 0.2, 0.3), same(float("nan"), None), same([1, 2], (1, 2)), same(1, 2)
    (True, True, True, False)
    """
    if hasattr(found, "tolist"):
        found = found.tolist()
    if hasattr(expected, "tolist"):
        expected = expected.tolist()
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    if _is_missing(found) or _is_missing(expected):
        return _is_missing(found) and _is_missing(expected)
    if isinstance(found, float) or isinstance(expected, float):
        if not isinstance(found, float | int) or not isinstance(expected, float | int):
            return False
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=TOLERANCE)
    return bool(found == expected)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
