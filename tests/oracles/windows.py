"""What a windowed feature is at a moment: a loop over all events."""

import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from feature_repo import windows as w

Event = Mapping[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def floor(at: int, step: int) -> int:
    return at - at % step


def of_key(table: w.WindowedTable, events: Sequence[Event], key: Mapping[str, Any]) -> list[Event]:
    """Events that count for a key."""
    return [
        event
        for event in events
        if all(event.get(name) == value for name, value in key.items())
        and (table.where is None or table.where.holds(event))
    ]


def inside(events: Sequence[Event], at: int, width: int | None, hop: int) -> list[Event]:
    """Those in the window at a moment; all before it if it has no width."""
    start = -math.inf if width is None else floor(at, hop) - width
    return [event for event in events if start <= micros(event["event_timestamp"]) < at]


def hop_of(table: w.WindowedTable, width: timedelta) -> int:
    """Step of a window's start, as the language's docs say."""
    if table.every != "event":
        return {"1h": 3_600, "1d": 86_400}[table.every] * 1_000_000
    return (300 if width < timedelta(hours=12) else 3_600 if width < timedelta(days=12) else 86_400) * 1_000_000


def values(table: w.WindowedTable, events: Sequence[Event], key: Mapping[str, Any], at: int) -> dict[str, Any]:
    """All columns of a row at ``at`` (microseconds), from all events there are."""
    mine = of_key(table, events, key)
    row: dict[str, Any] = {}
    for name, feature in table.features.items():
        if isinstance(feature, w.TimeSinceLast | w.DecayedSum):
            row |= of_the_moment(name, feature, inside(mine, at, None, 1))
            continue
        for window in feature.over or table.windows:
            if window == "lifetime":
                row |= aggregate(name, "", feature, inside(mine, at, None, 1))
                continue
            width = timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[window[-1]]: int(window[:-1])})
            used = inside(mine, at, width // timedelta(microseconds=1), hop_of(table, width))
            row |= aggregate(name, f"_{window}", feature, used)
    return row


def of_the_moment(name: str, feature: Any, used: Sequence[Event]) -> dict[str, Any]:
    last = max((micros(event["event_timestamp"]) for event in used), default=None)
    if isinstance(feature, w.TimeSinceLast):
        return {f"{name}_at": last}
    half_life = {"m": 60, "h": 3_600, "d": 86_400}[feature.half_life[-1]] * int(feature.half_life[:-1]) * 1e6
    weights = [(1 if feature.of is None else event[feature.of] or 0) for event in used]
    ages = [(last or 0) - micros(event["event_timestamp"]) for event in used]
    mass = sum(weight * 2 ** (-age / half_life) for weight, age in zip(weights, ages, strict=True))
    return {f"{name}_mass": mass if used else None, f"{name}_at": last}


def aggregate(name: str, suffix: str, feature: Any, used: Sequence[Event]) -> dict[str, Any]:  # noqa: PLR0911, PLR0912
    """Columns of one feature in one window, from the events in it."""
    column = name + suffix
    present = [event[feature.of] for event in used if feature.of and event[feature.of] is not None]
    match feature:
        case w.Count():
            return {column: len(used)}
        case w.Sum():
            return {column: sum(present)}
        case w.Mean():
            return {column: sum(present) / len(present) if present else None}
        case w.Min():
            return {column: min(present, default=None)}
        case w.Max():
            return {column: max(present, default=None)}
        case w.Std():
            mean = sum(present) / len(present) if present else 0
            variance = sum((value - mean) ** 2 for value in present) / max(len(present), 1)
            return {column: math.sqrt(variance) if present else None}
        case w.CountIf():
            return {column: sum(bool(e[feature.of]) if feature.of else feature.where.holds(e) for e in used)}
        case w.Rate():
            true = [bool(event[feature.of]) if feature.of else feature.where.holds(event) for event in used]
            return {column: sum(true) / len(true) if used else None}
        case w.Distinct():
            return {column: adaptive(set(present), feature.exact)}
        case w.TopK():
            ordered = sorted(Counter(present).items(), key=lambda item: (-item[1], item[0]))[: feature.k]
            return {column: [value for value, _ in ordered], f"{name}_counts{suffix}": [count for _, count in ordered]}
        case w.Last():
            return {column: next((value for _, value in newest_first(feature.of, used)), None)}
        case w.First():
            dated = [(event["event_timestamp"], event[feature.of]) for event in used if event[feature.of] is not None]
            return {column: min(dated)[1] if dated else None}
        case w.LastN():
            ordered = newest_first(feature.of, used)
            if feature.distinct:
                ordered = [pair for i, pair in enumerate(ordered) if pair[1] not in {v for _, v in ordered[:i]}]
            ordered = ordered[: feature.n]
            out = {column: [value for _, value in ordered]}
            return out | ({f"{name}_times{suffix}": [-time for time, _ in ordered]} if feature.times else {})
    raise AssertionError(feature)


def newest_first(of: str, used: Sequence[Event]) -> list[tuple[int, str]]:
    """Minus the time, and the value."""
    return sorted((-micros(event["event_timestamp"]), event[of]) for event in used if event[of] is not None)


def adaptive(present: set[str], exact: int) -> int:
    """Number of values; beyond ``exact`` that of those whose hash ends in enough zeros, doubled for each."""
    zeros = 0
    while len(present) > exact:
        zeros += 1
        present = {value for value in present if mixed(value) % 2**zeros == 0}
    return len(present) << zeros


def mixed(value: str) -> int:
    """CRC-32 through the finalizer of MurmurHash3."""
    hashed = zlib.crc32(value.encode())
    hashed ^= hashed >> 33
    hashed = hashed * 0xFF51AFD7ED558CCD % 2**64
    hashed ^= hashed >> 33
    hashed = hashed * 0xC4CEB9FE1A85EC53 % 2**64
    return hashed ^ hashed >> 33
