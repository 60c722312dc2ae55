"""What can be counted over a window: each is computed from parts that can be merged in any order.

``fields(name, suffix, dtype)`` are the columns that a feature gives in one window; ``dtype`` is the type of the event
column that it reads. Aggregates that are about the moment of the question (``TimeSinceLast``, ``DecayedSum``) leave
what they need in the table and are finished by an on-demand function, see ``feature_repo.windows.moment``.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from feature_repo.windows.condition import Condition

Fields = list[tuple[str, str]]

EXACT = 4096
"""Distinct values that are counted exactly. Beyond, only those are counted whose hash ends in so many zeros that no
more than this remain, and their number is doubled for each zero: the standard error is 1.2/√EXACT, 1.9 %
(P. Flajolet, On adaptive sampling, Computing 43, 1990; the method is M. Wegman's).
"""


@dataclass(frozen=True)
class Aggregate:
    """One feature of a table.

    Attributes:
        of: the column of the event that it reads; None for none.
        over: the table's windows in which it is computed; all of them if empty.
    """

    of: str | None = None
    over: tuple[str, ...] = field(default=(), kw_only=True)
    takes: ClassVar[tuple[str, ...]] = ("String", "Int64", "Bool")
    """Types of columns that it can read."""
    must_read: ClassVar[bool] = True
    """Whether it is about a column."""
    of_the_moment: ClassVar[bool] = False
    """Whether it has no windows, and is finished when it is asked for."""

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        """Columns of the table, with their Feast types."""
        raise NotImplementedError

    def refusal(self, lifetime: bool) -> str | None:
        """Why it cannot be kept up to date event by event; None if it can."""
        return None


@dataclass(frozen=True)
class Count(Aggregate):
    """How many events. Never missing."""

    takes = ()
    must_read = False

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Int64")]


@dataclass(frozen=True)
class _OfNumbers(Aggregate):
    takes = ("Int64",)

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Int64")]


@dataclass(frozen=True)
class Sum(_OfNumbers):
    """Of integers, 0 without any. Floats are refused: added and taken away again they leave a rest."""


@dataclass(frozen=True)
class Min(_OfNumbers):
    """Of integers; missing without any."""


@dataclass(frozen=True)
class Max(_OfNumbers):
    """Of integers; missing without any."""


@dataclass(frozen=True)
class Mean(_OfNumbers):
    """Of integers; missing without any."""

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]


@dataclass(frozen=True)
class Std(_OfNumbers):
    """Standard deviation of the values themselves (divided by n); missing without any.

    From sums of squares, which are exact below 2^63; beyond, to about nine digits.
    """

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]


@dataclass(frozen=True)
class Conditional(Aggregate):
    """Of the events that fulfil a condition, or have a true ``of``."""

    where: Condition | None = None
    takes = ("Bool",)
    must_read = False


@dataclass(frozen=True)
class CountIf(Conditional):
    """How many events fulfil a condition (or have a true ``of``). Never missing."""

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Int64")]


@dataclass(frozen=True)
class Rate(Conditional):
    """Share of the events that fulfil a condition (or have a true ``of``); missing without events."""

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]


@dataclass(frozen=True)
class Distinct(Aggregate):
    """How many different values: exact up to ``exact`` of them, beyond with a standard error of 1.2/√exact."""

    exact: int = EXACT
    takes = ("String",)

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Int64")]

    def refusal(self, lifetime: bool) -> str | None:
        return None if 16 <= self.exact <= 65_536 else "it must be exact for 16 to 65,536 values"


@dataclass(frozen=True)
class TopK(Aggregate):
    """The k most frequent values, most frequent first, equals in the order of their letters; and their counts."""

    k: int = 3
    takes = ("String",)

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Array(String)"), (f"{name}_counts{suffix}", "Array(Int64)")]

    def refusal(self, lifetime: bool) -> str | None:
        if lifetime:
            return "the counts of every value there ever was would have to be kept; give it a window that ends"
        return None if 1 <= self.k <= 100 else "k must be 1 to 100"


@dataclass(frozen=True)
class First(Aggregate):
    """Value of the oldest event that has one, the first by letters among equals in time; missing without any."""

    takes = ("String",)

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, dtype)]


@dataclass(frozen=True)
class Last(First):
    """Value of the newest event that has one, the first by letters among equals in time; missing without any."""


@dataclass(frozen=True)
class LastN(Aggregate):
    """Values of the newest events, newest first, equals in time in the order of their letters.

    Attributes:
        distinct: each value once, where it was last.
        times: also when, in microseconds since 1970.
    """

    n: int = 20
    distinct: bool = False
    times: bool = True
    takes = ("String",)

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        times = [(f"{name}_times{suffix}", "Array(Int64)")] if self.times else []
        return [(name + suffix, "Array(String)"), *times]

    def refusal(self, lifetime: bool) -> str | None:
        return None if 1 <= self.n <= 1_000 else "n must be 1 to 1,000"


@dataclass(frozen=True)
class TimeSinceLast(Aggregate):
    """Seconds from the newest event to the moment of the question; missing if there never was one."""

    takes = ()
    must_read = False
    of_the_moment = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(f"{name}_at", "Int64")]


@dataclass(frozen=True)
class DecayedSum(Aggregate):
    """Sum over all events that fades: each counts half after every ``half_life`` (such as "7d").

    Of the column's values, or of ones.
    """

    half_life: str = "7d"
    takes = ("Int64",)
    must_read = False
    of_the_moment = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(f"{name}_mass", "Float64"), (f"{name}_at", "Int64")]
