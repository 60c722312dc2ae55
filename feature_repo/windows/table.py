"""The declaration of a table of windowed features."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from feature_repo.errors import InputError
from feature_repo.windows.aggregates import Aggregate, Conditional, Distinct, First, LastN, Ratio, TopK
from feature_repo.windows.condition import OPERATORS, Condition
from feature_repo.windows.enrich import Enrich, enriched_source
from feature_repo.windows.event_source import EventSource
from feature_repo.windows.units import Days

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
"""Durations in microseconds, like all times in this module."""

T = TypeVar("T", int, np.ndarray)

_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
LONGEST = 400 * DAY

KEY_TYPES = ("String", "Int64", "Date")
"""Types that a join key may have."""


def duration(text: str, *, next_command: str = "correct the declaration") -> int:
    """Parses a duration such as "5m", "1h" or "28d" to microseconds.

    Args:
        text: number of minutes, hours or days.
        next_command: next command of the error.

    Raises:
        InputError: the text is not a duration.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if not match:
        raise InputError(
            expected='a duration such as "5m", "1h" or "28d"',
            found=repr(text),
            next_command=next_command,
        )
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True)
class Window:
    """One window of a table.

    Attributes:
        name: declared name, such as "7d" or "lifetime".
        width: width in microseconds; 0 for a lifetime.
        hop: step of the window's start, in microseconds.
    """

    name: str
    width: int
    hop: int

    @property
    def suffix(self) -> str:
        """Suffix of feature names in this window."""
        return "" if self.is_lifetime else f"_{self.name}"

    @property
    def is_lifetime(self) -> bool:
        """Whether the window includes all past events."""
        return not self.width

    def start(self, at: T) -> T:
        """Returns the first microsecond inside the window at a moment, or at each moment of an array."""
        return at - at % self.hop - self.width

    def leaves(self, event: T) -> T:
        """Returns the moment at which an event (and its whole hop) leaves the window; elementwise for an array."""
        return event - event % self.hop + self.hop + self.width


@dataclass(frozen=True)
class WindowedTable:
    """Windowed features of one entity, or of a pair of entities.

    Attributes:
        name: name of the table and of the view.
        about: description in one line.
        source: source of the events.
        keys: join keys, which are columns of the enriched event.
        windows: names of windows, such as ``("1h", "7d", "lifetime")``.
        features: name → aggregate. Its columns are ``name_window`` for each window, and ``name`` for a lifetime.
        every: times of rows: after each "event", or at multiples of "1h" or "1d".
        where: condition on the events; all events if None.
        enrich: dimension tables whose columns the events get, as of their time; see ``Enrich``.

    Raises:
        InputError: a feature cannot be computed incrementally; the message says why.

    >>> from feature_repo.windows import Count, EventSource, Rate
    >>> plays = EventSource("plays", columns={"user_id": "String", "skipped": "Bool"}, key=("user_id",))
    >>> features = {"plays": Count(), "skips": Rate("skipped")}
    >>> table = WindowedTable("example", "Plays of one listener", plays, ("user_id",), ("1d",), features)
    >>> table.fields
    (('plays_1d', 'Int64'), ('skips_1d', 'Float64'))
    >>> list(table.of_kind(Count)), table.windows_of(table.features["skips"])[0].suffix
    (['plays'], '_1d')
    >>> table.origin("skipped")[0] is plays  # no dimension has it
    True
    """

    name: str
    about: str
    source: EventSource
    keys: tuple[str, ...]
    windows: tuple[str, ...]
    features: Mapping[str, Aggregate] = field(hash=False)
    every: str = "1d"
    where: Condition | None = None
    enrich: tuple[Enrich, ...] = ()

    def __post_init__(self) -> None:
        self._check()

    @cached_property
    def enriched(self) -> EventSource:
        """The source with the columns that its events get from dimensions; the source itself without dimensions."""
        return enriched_source(self.name, self.source, self.enrich)

    @property
    def sources(self) -> tuple[EventSource, ...]:
        """The source, then the dimensions, each once."""
        return tuple(dict.fromkeys([self.source, *(enrich.dimension for enrich in self.enrich)]))

    def origin(self, column: str) -> tuple[EventSource, str]:
        """Returns the kind of events that reports a column of the enriched events, and its name there."""
        for enrich in self.enrich:
            if column in enrich.columns:
                return enrich.dimension, enrich.columns[column]
        return self.source, column

    @property
    def is_live(self) -> bool:
        """Whether the table has a row after each event."""
        return self.every == "event"

    @cached_property
    def unit(self) -> int:
        """Minimum time between two rows, in microseconds."""
        return 1 if self.is_live else duration(self.every)

    @cached_property
    def spans(self) -> tuple[Window, ...]:
        """The windows with widths and hops."""
        return tuple(
            Window(name, 0, self.unit if not self.is_live else DAY) if name == "lifetime" else self._window(name)
            for name in self.windows
        )

    def _window(self, name: str) -> Window:
        width = duration(name)
        if not self.is_live:
            return Window(name, width, self.unit)
        return Window(name, width, 5 * MINUTE if width < 12 * HOUR else HOUR if width < 12 * DAY else DAY)

    @property
    def reach(self) -> int:
        """Longest time before a moment from which events count in a finite window, in microseconds."""
        return max((window.width + window.hop for window in self.spans), default=0)

    @property
    def remembers(self) -> bool:
        """Whether state is kept forever: for a lifetime, or for a feature computed at the moment of the request."""
        has_lifetime = any(window.is_lifetime for window in self.spans)
        return has_lifetime or any(feature.of_the_moment for feature in self.features.values())

    def windows_of(self, feature: Aggregate) -> tuple[Window, ...]:
        """Returns the windows in which a feature is computed."""
        if feature.of_the_moment:
            return (Window("lifetime", 0, DAY),)
        windows = tuple(window for window in self.spans if not feature.over or window.name in feature.over)
        if isinstance(feature, Ratio):
            parts = [self.windows_of(self.features[name]) for name in (feature.numerator, feature.denominator)]
            windows = tuple(window for window in windows if all(window in part for part in parts))
        return windows

    @cached_property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Name and Feast type of all feature columns, feature by feature."""
        return tuple(
            column
            for name, feature in self.features.items()
            for window in self.windows_of(feature)
            for column in self._fields_of(name, feature, window.suffix)
        )

    @cached_property
    def features_by_column(self) -> Mapping[str, tuple[str, Window]]:
        """Feature column → name of the feature, and the window in which it is computed."""
        return {
            column: (name, window)
            for name, feature in self.features.items()
            for window in self.windows_of(feature)
            for column, _ in self._fields_of(name, feature, window.suffix)
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """Sorted names of the columns of enriched events that are read."""
        conditions = [self.where, *(f.where for f in self.of_kind(Conditional).values())]
        read_columns = {name for condition in conditions if condition is not None for name in condition.columns}
        return tuple(sorted(read_columns | set(self.keys) | {f.of for f in self.features.values() if f.of}))

    @property
    def reported_columns(self) -> tuple[str, ...]:
        """Sorted names of the source's columns that are read, also those on which dimensions are joined."""
        joined = {name for enrich in self.enrich for name in enrich.keys}
        return tuple(sorted(({*self.columns} | joined) & self.source.columns.keys()))

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything in the declaration that affects values."""
        content = {
            "source": self.source.name,
            "keys": self.keys,
            "windows": self.windows,
            "every": self.every,
            "where": _plain(self.where),
            "features": {n: [type(f).__name__, _plain(asdict(f))] for n, f in self.features.items()},
        }
        floats = {name: units.resolution for name in self.columns if (units := self.enriched.units(name))}
        if floats:
            content["resolution"] = floats
        dated = (*self.coded, *self.enriched.dates)
        types = {name: self.enriched.dtype(name) for name in self.columns if name in dated}
        if types:  # only of these: the fingerprints of other tables stay as they were
            content["types"] = types
        if self.enrich:
            content["enrich"] = [(one.dimension.name, one.keys, one.columns, one.taken.columns) for one in self.enrich]
        return hashlib.sha256(json.dumps(content, default=_plain).encode()).hexdigest()[:16]

    def _check(self) -> None:
        source = self.enriched
        if self.every != "event" and duration(self.every) not in (HOUR, DAY):
            raise self._declaration_error(f"every={self.every!r}", 'every "event", "1h" or "1d"')
        if not self.windows or len(set(self.windows)) != len(self.windows):
            raise self._declaration_error(f"the windows {self.windows}", "each window once, and one at least")
        for key in self.keys:
            if source.dtype(key) not in KEY_TYPES:
                found = f"the key {key!r} ({source.dtype(key) or 'which is not there'})"
                raise self._declaration_error(
                    found, f"keys of type {' or '.join(KEY_TYPES)} among {source.name}'s columns"
                )
        for window in self.spans:
            if window.width % window.hop or window.width > LONGEST:
                raise self._declaration_error(
                    f"the window {window.name}",
                    f"windows of whole {'days' if window.hop == DAY else 'hours' if window.hop == HOUR else 'hops'}, "
                    "400 days at most",
                )
        for condition in (self.where, *(f.where for f in self.of_kind(Conditional).values())):
            self._check_condition(condition)
        for name, feature in self.features.items():
            self._check_feature(name, feature)
        names = [name for name, _ in self.fields]
        if len(set(names)) != len(names):
            raise self._declaration_error("two features that give one column", "names that differ")

    def _check_feature(self, name: str, feature: Any) -> None:
        if not isinstance(feature, Aggregate):
            raise self._declaration_error(
                f"{name}: {feature!r}",
                "an aggregate of feature_repo.windows: what cannot be merged from parts (a median, a mode of all "
                "time, a function of your own) cannot be kept up to date event by event",
            )
        if feature.of is None and feature.must_read:
            raise self._declaration_error(f"{name} without a column", f"a column of {self.source.name}")
        if isinstance(feature, Conditional) and (feature.of is None) == (feature.where is None):
            raise self._declaration_error(f"{name}: {feature!r}", "a column or a condition")
        if feature.of is not None and self.enriched.dtype(feature.of) not in feature.takes:
            dtype = self.enriched.dtype(feature.of)
            raise self._declaration_error(
                f"{name} over {feature.of!r} ({dtype or 'which is not there'})",
                f"a column of {self.source.name} of type {' or '.join(feature.takes)}"
                + (f" ({feature.instead})" if feature.instead else ""),
            )
        if feature.computes and self._lacks_resolution(str(feature.of)):
            origin, column = self.origin(str(feature.of))
            raise InputError(
                expected=f"the resolution of the Float64 column {column!r}, in whose whole multiples a "
                f"{type(feature).__name__} is exact",
                found=f"none in the EventSource {origin.name}, for {name} in the windowed table {self.name}",
                next_command=f'declare it, such as EventSource("{origin.name}", …, '
                f'resolution={{"{column}": 0.01}}), then: refrain apply',
            )
        if not set(feature.over) <= set(self.windows) or (feature.over and feature.of_the_moment):
            raise self._declaration_error(f"{name} over {feature.over}", f"some of the windows {self.windows}")
        if isinstance(feature, Ratio):
            self._check_ratio(name, feature)
        half_life = getattr(feature, "half_life", None)
        if half_life:
            duration(half_life)
        for window in self.windows_of(feature):
            reason = feature.refusal(window.is_lifetime)
            if reason:
                raise self._declaration_error(
                    f"{name} over {window.name}", f"what can be computed incrementally: {reason}"
                )

    def _check_ratio(self, name: str, ratio: Ratio) -> None:
        for part in (ratio.numerator, ratio.denominator):
            feature = self.features.get(part)
            is_divisible = (
                isinstance(feature, Aggregate)
                and not feature.of_the_moment
                and not isinstance(feature, Ratio)
                and [dtype in ("Int64", "Float64") for _, dtype in self._fields_of(part, feature, "")] == [True]
            )
            if not is_divisible:
                raise self._declaration_error(
                    f"{name} of {part!r}", "a ratio of two features of the table, each one number in a window"
                )
        shared = {window.name for window in self.windows_of(ratio)}
        if not shared or not set(ratio.over) <= shared:
            found = f"{name} over {ratio.over or self.windows}"
            raise self._declaration_error(found, f"windows that {ratio.numerator} and {ratio.denominator} both have")

    def _fields_of(self, name: str, feature: Aggregate, suffix: str) -> list[tuple[str, str]]:
        return feature.fields(name, suffix, self.enriched.feast_type(feature.of or "") or "")

    def _lacks_resolution(self, column: str) -> bool:
        units = self.enriched.units(column)
        return units is not None and units.resolution is None

    def _check_condition(self, condition: Condition | None) -> None:
        if condition is None:
            return
        if not isinstance(condition, Condition):
            raise self._declaration_error(
                f"the condition {condition!r}",
                'conditions on the event alone, such as column("ms_played") >= 30_000: the engines must be able to '
                "translate them",
            )
        if condition.operator not in OPERATORS and condition.operator not in ("and", "or", "not", "missing"):
            raise self._declaration_error(f"the operator {condition.operator!r}", f"one of {sorted(OPERATORS)}")
        unknown = sorted(name for name in condition.columns if self.enriched.dtype(name) is None)
        if unknown:
            raise self._declaration_error(f"a condition on {unknown[0]!r}", f"columns of {self.source.name}")
        self._check_constants(condition)

    def _check_constants(self, condition: Condition) -> None:
        """Checks that columns are compared with values of their type."""
        if condition.operator in ("and", "or", "not"):
            for part in condition.parts:
                self._check_constants(part)
        elif condition.operator != "missing":
            name, value = condition.parts
            for constant in value if condition.operator == "in" else (value,):
                if isinstance(constant, str) != self.enriched.holds_texts(name):
                    raise self._declaration_error(
                        f"{name!r} ({self.enriched.dtype(name)}) compared with {constant!r}",
                        "values of the column's type",
                    )
                if self.enriched.dtype(name) == "Date" and not Days.is_valid(constant):
                    raise self._declaration_error(f"{name!r} compared with {constant!r}", 'days such as "2026-03-01"')

    def _declaration_error(self, found: str, expected: str) -> InputError:
        return InputError(
            expected=f"{expected} in the windowed table {self.name}",
            found=found,
            next_command=f"correct the declaration of {self.name}, then: refrain apply",
        )

    def of_kind(self, *kinds: type[Aggregate]) -> dict[str, Any]:
        """Returns the features that are instances of given aggregates, by name."""
        return {name: feature for name, feature in self.features.items() if isinstance(feature, kinds)}

    @property
    def valued(self) -> tuple[str, ...]:
        """Sorted columns whose distinct values are kept (of all but sequences with repeats)."""
        texts = {str(f.of) for f in self.of_kind(First).values() if self.enriched.holds_texts(str(f.of))}
        return tuple(sorted(texts | self._counted))

    @property
    def coded(self) -> tuple[str, ...]:
        """Sorted columns that are no texts, but keys or counted value by value as texts are."""
        return tuple(sorted(name for name in self._counted | set(self.keys) if not self.enriched.holds_texts(name)))

    @property
    def _counted(self) -> set[str]:
        sequences = {str(f.of) for f in self.of_kind(LastN).values() if f.distinct}
        return sequences | {str(f.of) for f in self.of_kind(Distinct, TopK).values()}


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
