"""Generates events that are hard on windowed tables, from the declared schema of their source.

There are few keys and few values, so that windows fill, empty and fill again. Events come in bursts, on the edges of
hops and at equal times; some are reported twice, some are corrected later, and they arrive out of order. Optional
columns have missing values, and columns that conditions read have the values with which these compare.
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_repo.windows import Condition, EventSource, WindowedTable
from feature_repo.windows.aggregates import Conditional
from transforms.raw.table import RawTable
from transforms.raw.validate import validate

Arrival = dict[str, Any]
"""One report of an event: the columns of its source, ``event_timestamp`` and ``created_timestamp``."""

Reports = Mapping[str, Sequence[Arrival]]
"""Kind of events → its reports in the order of arrival: those of a table's source, then those of its dimensions."""

START = datetime(2024, 2, 26, tzinfo=UTC)
"""The earliest event: a leap day lies ahead."""

DAYS = 45
"""Days between the earliest and the latest event."""

BURSTS = 9
"""Further days that have events, besides those around ``CUT``."""

CUT = START + timedelta(days=22)
"""A midnight in the middle: checks build the events before it first, and the others later."""

_HOP = 300_000_000
_HOUR = 3_600_000_000
_DAY = 86_400_000_000
_LATE = (0, 0, 0, 60, 3 * 86_400, 20 * 86_400)
"""Seconds after which an event is reported."""


def arrivals(source: EventSource, tables: Iterable[WindowedTable], count: int, seed: int) -> list[Arrival]:
    """Generates reports of events in the order of their arrival.

    They depend on the source, the conditions of the tables, the count and the seed, and on nothing else.

    Args:
        source: the kind of event.
        tables: all windowed tables that read the source, as their own or as a dimension.
        count: number of events; a fifth more are reports of the same event.
        seed: seed of the random numbers.
    """
    rng = np.random.default_rng([seed, zlib.crc32(source.name.encode())])
    vocabulary = {name: values(source, name, _compared(source, tables, name)) for name in source.columns}
    middle = (CUT - START).days
    days = [*[middle - 2, middle - 1, middle] * 3, *rng.choice(DAYS, size=BURSTS, replace=False).tolist()]
    events: dict[tuple, Arrival] = {}
    times: list[int] = []
    for _ in range(50 * count):
        if len(events) == count:
            break
        micro = _time_of_event(rng, days, times)
        event = {name: _pick(rng, choices) for name, choices in vocabulary.items()}
        identity = (micro, *(event[name] for name in source.key))
        if identity in events:
            continue
        times.append(micro)
        moment = START + timedelta(microseconds=micro)
        events[identity] = {
            "event_timestamp": moment,
            "created_timestamp": moment + timedelta(seconds=_pick(rng, _LATE)),
            **event,
        }
    reports = [*events.values(), *_more_reports(rng, source, list(events.values()), vocabulary)]
    return _out_of_order(rng, reports)


def values(source: EventSource, name: str, compared: Sequence[Any] = ()) -> list[Any]:
    """The values of a column: few, at the limits of its range, and missing ones if it is optional.

    Args:
        source: the kind of event.
        name: the column.
        compared: values with which conditions compare the column.
    """
    dtype, is_key = source.columns[name], name in source.key
    missing = [] if is_key else [None]
    if dtype == "Bool":
        return [True, False, *missing]
    if dtype == "Date":
        near_days = [day for text in compared for day in _days_around(text)]
        return list(dict.fromkeys(["2024-02-28", "2024-02-29", "2024-03-01", "1969-12-31", *near_days])) + missing
    if dtype == "String":
        texts = [value for value in compared if isinstance(value, str) and (value or not is_key)]
        own_texts = [f"{name.removesuffix('_id')}-{letter}" for letter in "abc"]
        return list(dict.fromkeys([*own_texts, *texts, *([] if is_key else [""])])) + missing
    if dtype == "Float64":
        return _floats(source, name, compared) + missing
    low, high = source.ranges.get(name, (-1_000, 1_000_000))
    if is_key and name not in source.ranges:
        return [1, 2, 30, *(value for value in compared if isinstance(value, int))]
    high_limit = min(high, low + 1_000_000)  # faded sums of larger numbers would hide small errors
    near = [value + step for value in compared if isinstance(value, int) for step in (-1, 0, 1)]
    numbers = [low, high_limit, (low + high_limit) // 2, 0, 1, 2, 7, *near]
    return sorted({number for number in numbers if low <= number <= high}) + missing


def _days_around(text: str) -> list[str]:
    day = date.fromisoformat(text)
    return [(day + timedelta(days=step)).isoformat() for step in (-1, 0, 1)]


def _floats(source: EventSource, name: str, compared: Sequence[Any]) -> list[Any]:
    """The values of a column of floats; some lie between two units of its resolution."""
    low, high = source.limits(name) or (-math.inf, math.inf)
    low, high = max(low, min(-1_000.0, high)), min(high, max(1_000_000.0, low))
    step = source.resolution.get(name, 0.5)
    near = [value + one for value in compared if isinstance(value, int | float) for one in (-step, 0.0, step)]
    numbers = [low, high, (low + high) / 2, 0.0, step / 2, 1.005, 2.5, 7.0, -1.5, *near]
    return sorted({float(number) for number in numbers if low <= number <= high})


def valid(raw: RawTable, reports: Sequence[Arrival]) -> tuple[list[Arrival], set[str]]:
    """Selects the reports that a raw table accepts, which may have further rules than the source declares.

    Args:
        raw: the raw table of the source.
        reports: reports of events.

    Returns:
        The accepted reports, in their order, and the reasons for which others are refused.
    """
    whole = pl.DataFrame(reports, schema_overrides=raw.columns, infer_schema_length=None)
    reasons = set(validate(raw, whole)[1]["reason"].to_list())
    if not reasons:
        return list(reports), reasons
    return [report for number, report in enumerate(reports) if validate(raw, whole[number])[1].is_empty()], reasons


def in_order_of_arrival(reports: Reports) -> Iterator[tuple[str, Arrival]]:
    """Yields the reports of all kinds with their kind: those of the first kind, and before each what was by then.

    A row of a dimension that is held up by a later one before it arrives after events that it would have changed.
    """
    first, *others = reports
    waiting = {name: list(reversed(reports[name])) for name in others}
    for report in reports[first]:
        for name, own_reports in waiting.items():
            while own_reports and own_reports[-1]["event_timestamp"] <= report["event_timestamp"]:
                yield name, own_reports.pop()
        yield first, report


def final_events(source: EventSource, reports: Iterable[Arrival], tenant: str) -> list[Arrival]:
    """The events that count in the batch run: of each event, the report that was created last.

    Args:
        source: the kind of event.
        reports: reports of events, in any order.
        tenant: value of the columns that all events share.
    """
    return _one_of_each(source, sorted(reports, key=lambda report: report["created_timestamp"], reverse=True), tenant)


def first_events(source: EventSource, reports: Iterable[Arrival], tenant: str) -> list[Arrival]:
    """The events that count in the stream: of each event, the report that arrived first."""
    return _one_of_each(source, reports, tenant)


def _one_of_each(source: EventSource, reports: Iterable[Arrival], tenant: str) -> list[Arrival]:
    chosen: dict[tuple, Arrival] = {}
    for report in reports:
        identity = (report["event_timestamp"], *(report[name] for name in source.key))
        chosen.setdefault(identity, {**report, **dict.fromkeys(source.shared, tenant)})
    return list(chosen.values())


def _time_of_event(rng: np.random.Generator, days: list[int], earlier: list[int]) -> int:
    """Microseconds after ``START``: on an edge, beside one, anywhere, or at the time of another event."""
    if earlier and rng.random() < 0.2:
        return int(rng.choice(earlier))
    day = int(rng.choice(days)) * _DAY
    step = int(rng.choice([_HOP, _HOUR, _DAY]))
    edge = int(rng.integers(0, _DAY // step + 1)) * step
    micro = edge if rng.random() < 0.5 else int(rng.integers(0, _DAY))
    return max(day + micro + int(rng.choice([-1, -1, 0, 0, 1, 250_000])), 0)


def _more_reports(
    rng: np.random.Generator, source: EventSource, events: list[Arrival], vocabulary: dict[str, list[Any]]
) -> list[Arrival]:
    """Repetitions of a tenth of the events, and corrections of another tenth, which are created later."""
    chosen = rng.permutation(len(events))[: max(len(events) // 5, 1)].tolist()
    reports = []
    payload = [name for name in source.columns if name not in source.key]
    for place, number in enumerate(chosen):
        event = events[number]
        if place % 2 == 0 or not payload:
            reports.append(dict(event))
            continue
        later = event["created_timestamp"] + timedelta(seconds=1 + place)
        correction = {name: _pick(rng, vocabulary[name]) for name in payload}
        reports.append({**event, **correction, "created_timestamp": later})
    return reports


def _out_of_order(rng: np.random.Generator, reports: list[Arrival]) -> list[Arrival]:
    """In the order of their times, but for a third of them, which arrive later."""
    in_order = sorted(reports, key=lambda report: (report["event_timestamp"], report["created_timestamp"]))
    delays = np.where(rng.random(len(in_order)) < 1 / 3, rng.integers(1, 12, len(in_order)), 0)
    order = np.argsort(np.arange(len(in_order)) + delays, kind="stable")
    return [in_order[place] for place in order]


def _compared(source: EventSource, tables: Iterable[WindowedTable], name: str) -> list[Any]:
    """The values with which tables compare a column: in conditions, and as the key of a dimension."""
    compared = []
    for table in tables:
        names = [name] if table.source is source else []
        for enrich in table.enrich:
            if enrich.dimension is source:
                names += [taken for taken, column in enrich.columns.items() if column == name]
                joined = [own_column for own_column, key in enrich.keys.items() if key == name]
                compared += [value for column in joined for value in values(table.enriched, column)]
        conditions = [table.where, *(feature.where for feature in table.of_kind(Conditional).values())]
        compared += [value for one in conditions if one is not None for own in names for value in _constants(one, own)]
    return compared


def _constants(condition: Condition, name: str) -> list[Any]:
    if condition.operator in ("and", "or", "not"):
        return [value for part in condition.parts for value in _constants(part, name)]
    if condition.parts[0] != name or condition.operator == "missing":
        return []
    value = condition.parts[1]
    return list(value) if condition.operator == "in" else [value]


def _pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]
