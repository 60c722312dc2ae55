"""The definition of windowed features as a plain loop over all events: slow, short, and independent of the engines.

The generated checks of ``refrain test`` and Refrain's own tests compare the batch run and the stream with it. It reads
the declarations (``feature_repo.windows``) and nothing else of Refrain.
"""

import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import cache
from typing import Any

from feature_repo import windows as w

Event = Mapping[str, Any]
"""Column → value, with ``event_timestamp`` as a datetime, and the columns that all events share."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Returns a moment in microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def floor(at: int, step: int) -> int:
    """Returns the newest multiple of a step at or before a moment."""
    return at - at % step


def enriched(table: w.WindowedTable, event: Event, reports: Mapping[str, Sequence[Event]]) -> dict[str, Any]:
    """Returns an event with the columns of its dimensions: the newest row of its key at or before it.

    Args:
        table: the declaration.
        event: the event.
        reports: name of each dimension → its rows; of rows with one key and time the one created last counts.
    """
    columns = dict(event)
    for enrich in table.enrich:
        rows = [
            row
            for row in reports[enrich.dimension.name]
            if all(columns[name] is not None and columns[name] == row[key] for name, key in enrich.keys.items())
            and row["event_timestamp"] <= event["event_timestamp"]
        ]
        newest = max(rows, key=lambda row: (row["event_timestamp"], row["created_timestamp"]), default=None)
        columns |= {name: newest[column] if newest else None for name, column in enrich.columns.items()}
    return columns


def of_key(table: w.WindowedTable, events: Sequence[Event], key: Mapping[str, Any]) -> list[Event]:
    """Returns the events of a key that meet the condition of the table."""
    return [
        event
        for event in events
        if all(event.get(name) == value for name, value in key.items())
        and (table.where is None or table.where.holds(event))
    ]


def inside(events: Sequence[Event], at: int, width: int | None, hop: int) -> list[Event]:
    """Returns the events in the window at a moment, or all earlier events if the window has no width."""
    start = -math.inf if width is None else floor(at, hop) - width
    return [event for event in events if start <= micros(event["event_timestamp"]) < at]


def hop_of(table: w.WindowedTable, width: timedelta) -> int:
    """Returns the step of a window's start, as documented for windowed features."""
    if table.every != "event":
        return {"1h": 3_600, "1d": 86_400}[table.every] * 1_000_000
    return (300 if width < timedelta(hours=12) else 3_600 if width < timedelta(days=12) else 86_400) * 1_000_000


def values(table: w.WindowedTable, events: Sequence[Event], key: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Returns all columns of the row of a key at a moment.

    Args:
        table: the declaration.
        events: all events, each once and enriched, in any order; also those of other keys and of later times.
        key: join key → value.
        at: the moment, microseconds since 1970; only earlier events count.

    Returns:
        Column → value, as in ``table.fields``.
    """
    own_events = of_key(table, events, key)
    all_earlier = inside(own_events, at, None, 1)
    by_window = {window: in_window(table, window, own_events, at) for window in table.windows}
    row: dict[str, Any] = {}
    for name, feature in table.features.items():
        if isinstance(feature, w.TimeSinceLast | w.DecayedSum):
            row |= recency_columns(name, feature, all_earlier)
            continue
        if isinstance(feature, w.Ratio):
            continue
        unit = Fraction(Decimal(str(table.enriched.resolution.get(feature.of or "", 1))))
        for window in feature.over or table.windows:
            suffix = "" if window == "lifetime" else f"_{window}"
            row |= aggregate(name, suffix, feature, in_units(table, feature.of, by_window[window]), unit)
    row |= ratio_columns(table, row)
    return {name: in_floats(value) for name, value in row.items()}


def in_floats(value: Any) -> Any:
    """Returns a value, or a list of values, with exact fractions as floats."""
    if isinstance(value, list):
        return [in_floats(one) for one in value]
    return float(value) if type(value) is Fraction else value  # a twentieth of the time of isinstance


def ratio_columns(table: w.WindowedTable, row: Mapping[str, Any]) -> dict[str, float | None]:
    """Returns the columns of all ratios, from the other columns of a row."""
    ratios = {}
    for name, feature in table.features.items():
        if isinstance(feature, w.Ratio):
            for window in feature.over or table.windows:
                suffix = "" if window == "lifetime" else f"_{window}"
                if {feature.numerator + suffix, feature.denominator + suffix} <= row.keys():
                    above, below = row[feature.numerator + suffix], row[feature.denominator + suffix]
                    ratios[name + suffix] = above / below if below and above is not None else None
    return ratios


def in_units(table: w.WindowedTable, column: str | None, events: Sequence[Event]) -> Sequence[Event]:
    """Returns events whose values of a column are exact multiples of its resolution, if it declares one."""
    resolution = table.enriched.resolution.get(column or "")
    if not column or resolution is None:
        return events
    return [{**event, column: nearest_multiple(event[column], Decimal(str(resolution)))} for event in events]


@cache
def nearest_multiple(value: float | None, resolution: Decimal) -> Fraction | None:
    """Returns the multiple of a resolution next to a value; of two, the even one."""
    if value is None:
        return None
    units = (Decimal(repr(value)) / resolution).quantize(Decimal(1), ROUND_HALF_EVEN)
    return Fraction(units) * Fraction(resolution)


def in_window(table: w.WindowedTable, window: str, events: Sequence[Event], at: int) -> list[Event]:
    """Returns the events in a window of a table, such as "7d" or "lifetime", at a moment."""
    if window == "lifetime":
        return inside(events, at, None, 1)
    width = timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[window[-1]]: int(window[:-1])})
    return inside(events, at, width // timedelta(microseconds=1), hop_of(table, width))


def recency_columns(name: str, feature: Any, window_events: Sequence[Event]) -> dict[str, Any]:
    """Returns the columns of a feature that is finished at the moment of the request."""
    newest = max((micros(event["event_timestamp"]) for event in window_events), default=None)
    if isinstance(feature, w.TimeSinceLast):
        return {f"{name}_at": newest}
    half_life = {"m": 60, "h": 3_600, "d": 86_400}[feature.half_life[-1]] * int(feature.half_life[:-1]) * 1e6
    weights = [(1 if feature.of is None else event[feature.of] or 0) for event in window_events]
    ages = [(newest or 0) - micros(event["event_timestamp"]) for event in window_events]
    mass = sum(weight * 2 ** (-age / half_life) for weight, age in zip(weights, ages, strict=True))
    return {f"{name}_mass": mass if window_events else None, f"{name}_at": newest}


def aggregate(  # noqa: PLR0911, PLR0912
    name: str, suffix: str, feature: Any, window_events: Sequence[Event], unit: Fraction
) -> dict[str, Any]:
    """Returns the columns of one feature in one window, from the events in the window; ``unit`` is the resolution."""
    column, of = name + suffix, str(feature.of)
    present = [event[of] for event in window_events if feature.of and event[of] is not None]
    match feature:
        case w.Count():
            return {column: len(window_events)}
        case w.Sum():
            total = sum(present)
            return {column: max(min(total, 2**63 - 1), -(2**63)) if isinstance(total, int) else total}
        case w.Mean():
            return {column: sum(present) / len(present) if present else None}
        case w.Min():
            return {column: min(present, default=None)}
        case w.Max():
            return {column: max(present, default=None)}
        case w.Std():
            mean = Fraction(sum(present)) / max(len(present), 1)
            variance = sum((value - mean) ** 2 for value in present) / max(len(present), 1)
            return {column: math.sqrt(variance) if present else None}
        case w.CountIf():
            return {column: sum(is_true(feature, event) for event in window_events)}
        case w.Rate():
            true = sum(is_true(feature, event) for event in window_events)
            return {column: true / len(window_events) if window_events else None}
        case w.Distinct():
            return {column: adaptive_count(set(present), feature.exact)}
        case w.TopK():
            ordered = sorted(Counter(present).items(), key=lambda item: (-item[1], item[0]))[: feature.k]
            return {column: [value for value, _ in ordered], f"{name}_counts{suffix}": [count for _, count in ordered]}
        case w.Last():
            return {column: next((value for _, value in newest_first(of, window_events)), None)}
        case w.First():
            dated = [(event["event_timestamp"], event[of]) for event in window_events if event[of] is not None]
            return {column: min(dated)[1] if dated else None}
        case w.Previous():
            return {column: next((value for _, value in newest_first(of, window_events)[1:]), None)}
        case w.Slope():
            return {column: slope(of, window_events)}
        case w.Quantile():
            rising = sorted(present)
            rank = max(math.ceil(feature.q * len(rising)), 1)
            return {column: middle_of_bucket(Fraction(rising[rank - 1]) / unit) * unit if rising else None}
        case w.LastN():
            newest = newest_first(of, window_events)
            if feature.distinct:
                newest = [
                    pair for index, pair in enumerate(newest) if pair[1] not in {other for _, other in newest[:index]}
                ]
            newest = newest[: feature.n]
            columns: dict[str, Any] = {column: [value for _, value in newest]}
            return columns | ({f"{name}_times{suffix}": [-time for time, _ in newest]} if feature.times else {})
    raise AssertionError(feature)


def is_true(feature: Any, event: Event) -> bool:
    """Whether an event fulfils the condition of a feature, or has its column true."""
    return bool(event[feature.of]) if feature.of else bool(feature.where.holds(event))


def slope(of: str, window_events: Sequence[Event]) -> Fraction | None:
    """Returns the least squares slope per day, by deviations from the means."""
    present = [event for event in window_events if event[of] is not None]
    points = [(micros(event["event_timestamp"]), Fraction(event[of])) for event in present]
    if len({time for time, _ in points}) < 2:
        return None
    mean_time = Fraction(sum(time for time, _ in points), len(points))
    mean_value = Fraction(sum(value for _, value in points), len(points))
    covariance = sum(((time - mean_time) * (value - mean_value) for time, value in points), Fraction(0))
    return covariance / sum((time - mean_time) ** 2 for time, _ in points) * 86_400_000_000


def middle_of_bucket(value: Fraction) -> int:
    """Returns the whole number in the middle of the 64th of a power of two in which a whole number lies."""
    size, width = int(abs(value)), 1
    while size >= width * 128:
        width *= 2
    return (size // width * width + width // 2) * (1 if value > 0 else -1)


def newest_first(of: str, window_events: Sequence[Event]) -> list[tuple[int, Any]]:
    """Returns pairs of negative time and value, newest first."""
    return sorted((-micros(event["event_timestamp"]), event[of]) for event in window_events if event[of] is not None)


def adaptive_count(present: set[Any], exact: int) -> int:
    """Returns the number of values. Above ``exact`` it counts hashes with trailing zeros, times two per zero."""
    zeros = 0
    while len(present) > exact:
        zeros += 1
        present = {value for value in present if hash_of(value) % 2**zeros == 0}
    return len(present) << zeros


def hash_of(value: str | int) -> int:
    """Returns CRC-32, of a number's digits, with the finalizer of MurmurHash3."""
    hashed = zlib.crc32(str(value).encode())
    hashed ^= hashed >> 33
    hashed = hashed * 0xFF51AFD7ED558CCD % 2**64
    hashed ^= hashed >> 33
    hashed = hashed * 0xC4CEB9FE1A85EC53 % 2**64
    return hashed ^ hashed >> 33
