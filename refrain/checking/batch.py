"""The batch run against the definition at every moment, and against itself when later events are added."""

import bisect
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from feature_repo.home import Home
from feature_repo.windows import WindowedTable
from refrain.checking import oracle
from refrain.checking.difference import Difference, same
from refrain.checking.generate import Arrival, Reports, final_events
from transforms import feature_tables
from transforms.batch.windows.enriched import Dimensions
from transforms.batch.windows.rows import rows as compute
from transforms.batch.windows.tiles import counted_events, tiles
from transforms.raw.divide import merge
from transforms.raw.table import RawTable

ENGINE, DEFINITION = "batch run", "definition"

OTHER_MOMENTS = 20
"""Moments of other keys at which the row of a key is looked at besides all moments of its own."""

_DAY = 86_400_000_000

Key = tuple[str | int, ...]


@dataclass
class History:
    """The rows of one key, oldest first.

    Attributes:
        times: event times, microseconds since 1970.
        rows: column → value, of each row.
    """

    times: list[int]
    rows: list[dict[str, Any]]

    def at(self, moment: int) -> dict[str, Any] | None:
        """Returns the newest row at or before a moment; None if there is none."""
        place = bisect.bisect_right(self.times, moment) - 1
        return self.rows[place] if place >= 0 else None


def histories(table: WindowedTable, rows: pl.DataFrame) -> dict[Key, History]:
    """The rows of a feature table by key; of rows with the same time, the one created last."""
    by_key: dict[Key, History] = {}
    at = pl.col("event_timestamp").dt.timestamp("us").alias("_at")
    for row in rows.sort("event_timestamp", "created_timestamp").with_columns(at).iter_rows(named=True):
        history = by_key.setdefault(tuple(row[key] for key in table.keys), History([], []))
        if history.times and history.times[-1] == row["_at"]:
            history.rows[-1] = row
        else:
            history.times.append(row["_at"])
            history.rows.append(row)
    return by_key


def built(home: Home, table: WindowedTable) -> dict[Key, History]:
    """The rows of a table as the batch run has written them to a data folder."""
    return histories(table, feature_tables.scan(home, table.name).collect())


def computed(table: WindowedTable, raw: Mapping[str, RawTable], reports: Reports, tenant: str) -> dict[Key, History]:
    """The rows of a table as the batch run computes them, without files; for many short sequences of events."""
    own_reports = reports[table.source.name]
    if not own_reports:
        return {}
    frames = {name: _merged(raw[name], own) for name, own in reports.items()}
    events = Dimensions(table, frames).enriched(frames[table.source.name])
    tile_set = tiles(table, counted_events(table, events, tenant), table.unit)
    first = min(oracle.micros(report["event_timestamp"]) for report in own_reports)
    return histories(table, compute(table, tile_set, first - first % _DAY, end([table], own_reports)))


def _merged(raw: RawTable, reports: Sequence[Arrival]) -> pl.DataFrame:
    """The rows of a raw table that has these reports."""
    schema = None if reports else raw.columns
    rows = pl.DataFrame(reports, schema, schema_overrides=raw.columns, infer_schema_length=None)
    return merge(raw, raw.conform(rows))


def end(tables: Iterable[WindowedTable], reports: Iterable[Arrival]) -> int:
    """A midnight at which all events have left all windows of finite width, microseconds since 1970."""
    newest = max(oracle.micros(report["event_timestamp"]) for report in reports)
    reach = max(table.reach for table in tables)
    return oracle.floor(newest + reach, _DAY) + 3 * _DAY


def moments(table: WindowedTable, events: Iterable[Arrival]) -> list[int]:
    """Just before, at and after each event and each end of a window, rounded up to the moments of the table's rows."""
    times = set()
    for event in events:
        time = oracle.micros(event["event_timestamp"])
        times |= {time, time + 1, time + _DAY}
        for gone in leaves(table, time):
            times |= {gone - 1, gone, gone + 1, gone + 7 * 300_000_000}
    step = table.unit
    return sorted({-(-time // step) * step for time in times})


def leaves(table: WindowedTable, time: int) -> list[int]:
    """The moments at which an event leaves the windows, by the definition of a window; microseconds since 1970."""
    units = {"m": 60, "h": 3_600, "d": 86_400}
    gone = []
    for window in table.windows:
        if window != "lifetime":
            width = int(window[:-1]) * units[window[-1]]
            hop = oracle.hop_of(table, timedelta(seconds=width))
            gone.append(oracle.floor(time, hop) + hop + width * 1_000_000)
    return gone


def compare(table: WindowedTable, rows: dict[Key, History], reports: Reports, tenant: str) -> Difference | None:
    """Compares the rows of a table with the definition, for every key at every moment.

    Args:
        table: the declaration.
        rows: the rows of each key, up to ``end``.
        reports: the reports of events that the rows are of.
        tenant: value of the columns that all events share.

    Returns:
        The first difference; None if there is none.
    """
    events = [
        oracle.enriched(table, event, reports)
        for event in final_events(table.source, reports[table.source.name], tenant)
    ]
    by_key = events_by_key(table, events)
    for key in sorted({*by_key, *rows}):
        own_key = dict(zip(table.keys, key, strict=True))
        if key not in rows or key not in by_key:
            texts = ("rows of this key", "none") if key in by_key else ("no row of this key", "rows")
            return Difference("", own_key, None, *texts, DEFINITION, ENGINE, reports)
        own_events = by_key[key]
        others = random.Random(len(events)).sample(events, min(OTHER_MOMENTS // 4, len(events)))
        for at in moments(table, [*own_events, *others]):
            has_begun = any(oracle.micros(event["event_timestamp"]) < at for event in own_events)
            difference = compare_row(table, own_key, at, rows[key].at(at), own_events if has_begun else None)
            if difference:
                column, expected, found = difference
                return Difference(column, own_key, at, expected, found, DEFINITION, ENGINE, reports)
    return None


def compare_row(
    table: WindowedTable,
    key: dict[str, str | int],
    at: int,
    row: dict[str, Any] | None,
    own_events: Sequence[Arrival] | None,
) -> tuple[str, Any, Any] | None:
    """Compares one row with the definition.

    Args:
        table: the declaration.
        key: join key → value.
        at: the moment, microseconds since 1970.
        row: the row; None if there is none.
        own_events: the events of the key, None if none has happened yet.

    Returns:
        The first column that differs, with the expected value and the one found; None if none does.
    """
    if own_events is None:
        return None if row is None else ("", "no row before the first event", "a row")
    if row is None:
        return "", "a row after the first event", "none"
    for column, expected in oracle.values(table, own_events, key, at).items():
        if not same(row[column], expected):
            return column, expected, row[column]
    return None


def events_by_key(table: WindowedTable, events: Iterable[Arrival]) -> dict[Key, list[Arrival]]:
    """The enriched events that a table counts, by key."""
    by_key: dict[Key, list[Arrival]] = {}
    for event in events:
        key = tuple(event[name] for name in table.keys)
        if None not in key and (table.where is None or table.where.holds(event)):
            by_key.setdefault(key, []).append(event)
    return by_key


def compare_past(
    table: WindowedTable,
    before: dict[Key, History],
    after: dict[Key, History],
    cut: int,
    reports: Reports,
) -> Difference | None:
    """Compares the rows up to a moment with those that were built before later events were added.

    Args:
        table: the declaration.
        before: the rows of each key, of the events before the moment alone.
        after: the rows of each key, of all events.
        cut: the moment, a midnight, microseconds since 1970.
        reports: the reports of all events.

    Returns:
        The first difference; None if there is none.
    """
    names = [name for name, _ in table.fields]
    for key in sorted({*before, *after}):
        own_key = dict(zip(table.keys, key, strict=True))
        past, whole = before.get(key, History([], [])), after.get(key, History([], []))
        for at in sorted({time for time in (*past.times, *whole.times) if time <= cut}):
            expected, found = past.at(at), whole.at(at)
            sources = ("events before this moment alone", "with later events")
            if expected is None or found is None:
                if expected is not found:
                    texts = ("no row", "a row") if expected is None else ("a row", "no row")
                    return Difference("", own_key, at, *texts, *sources, reports)
                continue
            for name in names:
                if not same(found[name], expected[name]):
                    return Difference(name, own_key, at, expected[name], found[name], *sources, reports)
    return None


def before(reports: Reports, cut: int) -> dict[str, list[Arrival]]:
    """The reports of events that happened before a moment."""
    return {
        name: [report for report in own_reports if oracle.micros(report["event_timestamp"]) < cut]
        for name, own_reports in reports.items()
    }
