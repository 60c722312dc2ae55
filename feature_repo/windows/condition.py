"""Conditions on the columns of one event: ``column("ms_played") >= 30_000``, ``column("due") < "2026-03-01"``.

Each engine translates conditions to its own expressions. Texts are compared letter by letter. Days are such texts, so
that they are in the order of time; a ``datetime.date`` stands for its text. A missing value fulfils
``is_missing`` only, and negation is two-valued: ``~(column("skipped") == True)`` holds where ``skipped`` is missing.
"""

import operator
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, values: value in values,
}


@dataclass(frozen=True)
class Condition:
    """A condition on one event.

    Attributes:
        operator: one of ``OPERATORS``, ``missing``, ``and``, ``or`` or ``not``.
        parts: operands: a column name and a value, a column name, or conditions.
    """

    operator: str
    parts: tuple[Any, ...]

    def __and__(self, other: "Condition") -> "Condition":
        return Condition("and", (self, other))

    def __or__(self, other: "Condition") -> "Condition":
        return Condition("or", (self, other))

    def __invert__(self) -> "Condition":
        return Condition("not", (self,))

    def __bool__(self) -> bool:
        raise TypeError("join conditions with &, | and ~, not with and, or, not")

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns that the condition reads."""
        if self.operator in ("and", "or", "not"):
            return frozenset().union(*(part.columns for part in self.parts))
        return frozenset(self.parts[:1])

    def holds(self, event: Mapping[str, Any]) -> bool:
        """Evaluates the condition on one event; the reference for the engines' expressions."""
        if self.operator == "and":
            return all(part.holds(event) for part in self.parts)
        if self.operator == "or":
            return any(part.holds(event) for part in self.parts)
        if self.operator == "not":
            return not self.parts[0].holds(event)
        value = event.get(self.parts[0])
        if self.operator == "missing":
            return value is None
        return value is not None and bool(OPERATORS[self.operator](value, self.parts[1]))


@dataclass(frozen=True, eq=False)
class Column:
    """A column of the event; comparisons with a value give conditions."""

    name: str

    def __eq__(self, value: object) -> Condition:  # type: ignore[override]
        return Condition("==", (self.name, _constant(value)))

    def __ne__(self, value: object) -> Condition:  # type: ignore[override]
        return Condition("!=", (self.name, _constant(value)))

    def __lt__(self, value: Any) -> Condition:
        return Condition("<", (self.name, _constant(value)))

    def __le__(self, value: Any) -> Condition:
        return Condition("<=", (self.name, _constant(value)))

    def __gt__(self, value: Any) -> Condition:
        return Condition(">", (self.name, _constant(value)))

    def __ge__(self, value: Any) -> Condition:
        return Condition(">=", (self.name, _constant(value)))

    __hash__ = None  # type: ignore[assignment]

    def is_in(self, values: Collection[Any]) -> Condition:
        """Returns the condition that the value is one of ``values``; a set, whose order is by chance, is sorted."""
        ordered = sorted(values) if isinstance(values, Set) else values
        return Condition("in", (self.name, tuple(map(_constant, ordered))))

    def between(self, low: Any, high: Any) -> Condition:
        """Returns the condition that the value is one of the two, or between them.

        >>> column("due").between("2026-02-01", "2026-02-28").holds({"due": "2026-02-11"})
        True
        """
        return (self >= low) & (self <= high)

    def is_missing(self) -> Condition:
        """Returns the condition that the value is missing."""
        return Condition("missing", (self.name,))


def _constant(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value


def column(name: str) -> Column:
    """Returns a column of the event, for conditions.

    >>> (column("ms_played") >= 30_000).holds({"ms_played": 31_000})
    True
    """
    return Column(name)
