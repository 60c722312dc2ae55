"""Aggregates over windows. Each is computed from partial aggregates that can be merged in any order.

``fields(name, suffix, dtype)`` are the columns of a feature in one window; ``dtype`` is the type of the event column
that it reads. Aggregates that depend on the moment of the request (``TimeSinceLast``, ``DecayedSum``) store their
inputs in the table, and an on-demand function computes the result, see ``feature_repo.windows.moment``.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from feature_repo.windows.condition import Condition

Fields = list[tuple[str, str]]

EXACT = 4096
"""Number of distinct values that are counted exactly. Beyond it, adaptive sampling keeps only values whose hash ends in
enough zeros that at most this many remain, and doubles their number for each zero. The standard error is 1.2/√EXACT,
1.9 % (P. Flajolet, On adaptive sampling, Computing 43, 1990; the method is M. Wegman's).
"""


@dataclass(frozen=True)
class Aggregate:
    """One feature of a windowed table.

    Attributes:
        of: the event column that is aggregated; None if no column is read.
        over: windows of the table in which the feature is computed; all windows if empty.

    >>> Aggregate().refusal(lifetime=True) is None
    True
    """

    of: str | None = None
    over: tuple[str, ...] = field(default=(), kw_only=True)
    takes: ClassVar[tuple[str, ...]] = ("String", "Int64", "Float64", "Bool", "Date")
    """Types of columns that the aggregate accepts."""
    instead: ClassVar[str] = ""
    """What to do about a column of another type."""
    must_read: ClassVar[bool] = True
    """Whether a column is required."""
    computes: ClassVar[bool] = False
    """Whether it computes with the values of its column, so that a Float64 column must declare a resolution."""
    of_the_moment: ClassVar[bool] = False
    """Whether the feature has no windows and is computed at the moment of the request."""

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        """Returns the columns of the feature in the table, with their Feast types."""
        raise NotImplementedError

    def refusal(self, lifetime: bool) -> str | None:
        """Returns why the feature cannot be computed incrementally; None if it can."""
        return None


@dataclass(frozen=True)
class Count(Aggregate):
    """Number of events. Never missing.

    >>> Count().fields("plays", "_7d", "")
    [('plays_7d', 'Int64')]
    """

    takes = ()
    must_read = False

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Int64")]


@dataclass(frozen=True)
class _NumberAggregate(Aggregate):
    takes: ClassVar[tuple[str, ...]] = ("Int64", "Float64")

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, dtype)]


@dataclass(frozen=True)
class Sum(_NumberAggregate):
    """Sum; 0 without values.

    Floats are summed in whole units of the resolution that their source declares: the sum is exact, and leaves no
    rest when values leave a window. It must stay below 2^63 (units). A sum of integers beyond the limits of an Int64 is
    given as the limit.

    >>> Sum("ms_played").fields("listened", "_7d", "Int64")
    [('listened_7d', 'Int64')]
    """

    computes = True


@dataclass(frozen=True)
class Min(_NumberAggregate):
    """Minimum; missing without values.

    >>> Min("ms_played").fields("shortest", "_7d", "Int64")
    [('shortest_7d', 'Int64')]
    """

    takes = ("Int64", "Float64", "Date")


@dataclass(frozen=True)
class Max(_NumberAggregate):
    """Maximum; missing without values.

    >>> Max("ms_played").fields("longest", "_7d", "Int64")
    [('longest_7d', 'Int64')]
    """

    takes = ("Int64", "Float64", "Date")


@dataclass(frozen=True)
class Mean(_NumberAggregate):
    """Mean; missing without values. Of floats, the mean of whole units of the resolution.

    >>> Mean("ms_played").fields("mean", "_7d", "Int64")
    [('mean_7d', 'Float64')]
    """

    computes = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]


@dataclass(frozen=True)
class Std(_NumberAggregate):
    """Population standard deviation (divided by n); missing without values.

    Computed from sums of squares in 128 bits (of whole units, for floats), which are exact.

    >>> Std("ms_played").fields("spread", "_7d", "Int64")
    [('spread_7d', 'Float64')]
    """

    computes = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]


@dataclass(frozen=True)
class Slope(_NumberAggregate):
    """Slope of the straight line through the values over time, per day (least squares).

    Missing with values at fewer than two different times. Computed from sums of times, values and their products in
    128 bits, which are exact.

    >>> Slope("ms_played").fields("trend", "_7d", "Int64")
    [('trend_7d', 'Float64')]
    """

    computes = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]


@dataclass(frozen=True)
class Quantile(_NumberAggregate):
    """The value below or at which the share ``q`` of the values lies; 0.5 is the median. Missing without values.

    Values are counted in fixed buckets. The result is within 1/128 (0.8 %) of the value with rank ⌈q·count⌉, and equal
    to it below 128 (units of the resolution, for floats).

    >>> Quantile("ms_played", q=0.9).fields("long", "_7d", "Int64")
    [('long_7d', 'Float64')]
    >>> Quantile("ms_played", q=90).refusal(lifetime=False)
    'q must be 0 to 1'
    """

    q: float = 0.5
    computes = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]

    def refusal(self, lifetime: bool) -> str | None:
        return None if 0 <= self.q <= 1 else "q must be 0 to 1"


@dataclass(frozen=True)
class Conditional(Aggregate):
    """Base of aggregates over events that fulfil a condition, or in which the column ``of`` is true."""

    where: Condition | None = None
    takes = ("Bool",)
    must_read = False


@dataclass(frozen=True)
class CountIf(Conditional):
    """Number of events that fulfil a condition, or in which ``of`` is true. Never missing.

    >>> CountIf("skipped").fields("skips", "_7d", "Bool")
    [('skips_7d', 'Int64')]
    """

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Int64")]


@dataclass(frozen=True)
class Rate(Conditional):
    """Share of events that fulfil a condition, or in which ``of`` is true; missing without events.

    >>> Rate("skipped").fields("skip_rate", "_7d", "Bool")
    [('skip_rate_7d', 'Float64')]
    """

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]


@dataclass(frozen=True)
class Ratio(Aggregate):
    """One feature of the table divided by another, such as ``Ratio("skips", "plays")``, in windows that both have.

    Missing where the denominator is 0, or where one of them is missing.

    Attributes:
        numerator: name of a feature with one number per window.
        denominator: name of another one.

    >>> Ratio("skips", "plays").fields("skip_share", "_7d", "")
    [('skip_share_7d', 'Float64')]
    """

    of: str | None = field(default=None, init=False, repr=False)
    numerator: str
    denominator: str
    takes = ()
    must_read = False

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Float64")]


@dataclass(frozen=True)
class Distinct(Aggregate):
    """Number of distinct values: exact up to ``exact``, approximate beyond with a standard error of 1.2/√exact.

    >>> Distinct("artist_id").fields("artists", "_7d", "String"), Distinct("artist_id", exact=1).refusal(lifetime=True)
    ([('artists_7d', 'Int64')], 'it must be exact for 16 to 65,536 values')
    """

    exact: int = EXACT
    takes = ("String", "Int64", "Date")
    instead = "of booleans take CountIf or Rate; floats are no identities, declare them as Int64 or String"

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, "Int64")]

    def refusal(self, lifetime: bool) -> str | None:
        return None if 16 <= self.exact <= 65_536 else "it must be exact for 16 to 65,536 values"


@dataclass(frozen=True)
class TopK(Aggregate):
    """The k most frequent values and their counts, most frequent first; ties in the order of the values.

    >>> TopK("genre", k=3).fields("genres", "_7d", "String")
    [('genres_7d', 'Array(String)'), ('genres_counts_7d', 'Array(Int64)')]
    >>> TopK("genre", k=0).refusal(lifetime=False)
    'k must be 1 to 100'
    """

    k: int = 3
    takes = ("String", "Int64", "Date")
    instead = "of booleans take CountIf or Rate; floats are no identities, declare them as Int64 or String"

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, f"Array({dtype})"), (f"{name}_counts{suffix}", "Array(Int64)")]

    def refusal(self, lifetime: bool) -> str | None:
        if lifetime:
            return "it would have to keep the counts of all past values; give it a finite window"
        return None if 1 <= self.k <= 100 else "k must be 1 to 100"


@dataclass(frozen=True)
class First(Aggregate):
    """Value of the oldest event that has one; of equal times, the alphabetically first or the smallest.

    Missing without values.

    >>> First("device").fields("device", "", "String")
    [('device', 'String')]
    """

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, dtype)]


@dataclass(frozen=True)
class Last(First):
    """Value of the newest event that has one; of equal times, the alphabetically first or the smallest.

    Missing without values.

    >>> Last("device").fields("device", "_7d", "String")
    [('device_7d', 'String')]
    """


@dataclass(frozen=True)
class Previous(Aggregate):
    """Value of the newest event but one that has one: the value before ``Last``. Missing with fewer than two values.

    Events of equal time are in the order of ``LastN``.

    >>> Previous("device").fields("before", "_7d", "String")
    [('before_7d', 'String')]
    """

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(name + suffix, dtype)]


@dataclass(frozen=True)
class LastN(Aggregate):
    """Values of the newest events that have one, newest first; of equal times, in the order of the values.

    Attributes:
        n: maximum number of values.
        distinct: whether each value occurs once, at its newest event.
        times: whether to add a column of event times, in microseconds since 1970.

    >>> LastN("track_id", n=5, times=False).fields("tracks", "_7d", "String")
    [('tracks_7d', 'Array(String)')]
    >>> LastN("track_id", n=0).refusal(lifetime=False)
    'n must be 1 to 1,000'
    """

    n: int = 20
    distinct: bool = False
    times: bool = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        times = [(f"{name}_times{suffix}", "Array(Int64)")] if self.times else []
        return [(name + suffix, f"Array({dtype})"), *times]

    def refusal(self, lifetime: bool) -> str | None:
        return None if 1 <= self.n <= 1_000 else "n must be 1 to 1,000"


@dataclass(frozen=True)
class TimeSinceLast(Aggregate):
    """Seconds from the newest event to the moment of the request; missing without any event.

    >>> TimeSinceLast().fields("idle", "", "")
    [('idle_at', 'Int64')]
    """

    takes = ()
    must_read = False
    of_the_moment = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(f"{name}_at", "Int64")]


@dataclass(frozen=True)
class DecayedSum(Aggregate):
    """Exponentially decayed sum over all events: weights halve after every ``half_life`` (such as "7d").

    Sums the column's values, or ones without a column. The sum is a float, equal from run to run to about nine digits
    of the largest value.

    >>> DecayedSum(half_life="7d").fields("plays", "", "")
    [('plays_mass', 'Float64'), ('plays_at', 'Int64')]
    """

    half_life: str = "7d"
    takes = ("Int64", "Float64")
    computes = True
    must_read = False
    of_the_moment = True

    def fields(self, name: str, suffix: str, dtype: str) -> Fields:
        return [(f"{name}_mass", "Float64"), (f"{name}_at", "Int64")]
