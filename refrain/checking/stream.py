"""The stream against the definition, after every arrival and as time passes."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from feature_repo import clock
from feature_repo.windows import WindowedTable
from refrain.checking import oracle
from refrain.checking.batch import Key, compare_row, events_by_key, leaves
from refrain.checking.difference import Difference
from refrain.checking.generate import Arrival, Reports, first_events, in_order_of_arrival
from transforms.stream.accept import Gate, RawEvent
from transforms.stream.live_state import LiveState
from transforms.stream.state.live_rows import LiveRows

ENGINE, DEFINITION = "stream", "definition"

NEVER_LATE = 10_000 * 86_400_000_000
"""Lateness in microseconds with which no event is left to the batch run."""

QUIET_MOMENTS = 40
"""Most moments after the last arrival at which the rows are compared, as events leave the windows."""


class Online:
    """The newest row of each key of one table, as the stream pushes them to the online store."""

    def __init__(self, table: WindowedTable, tenant: str) -> None:
        self.table, self.now = table, clock.microseconds(clock.now())
        self.gate = Gate(table.source, NEVER_LATE, flood=10**9)
        self.state = LiveState(table.source, [table], tenant)
        self.rows: dict[Key, dict[str, Any]] = {}
        self.clock = 0
        self.reports: dict[str, list[Arrival]] = {name: [] for name in (table.source.name, *self.state.dimensions)}
        self._counted: dict[tuple, Arrival] = {}

    def learn(self, name: str, row: Arrival) -> None:
        """Takes one row of a dimension; events that are counted later may take its columns."""
        dimension = self.state.dimensions[name]
        times = [oracle.micros(row[column]) for column in ("event_timestamp", "created_timestamp")]
        dimension.add([(*times, *(row[column] for column in dimension.source.columns))])
        self.reports[name].append(row)

    def arrive(self, report: Arrival) -> None:
        """Accepts one report of an event, and pushes the rows that follow.

        Raises:
            ValueError: the gate of the stream refuses the event.
        """
        self.reports[self.table.source.name].append(report)
        raw_event = RawEvent(self.table.source.name, to_json(report))
        accepted = self.gate.accept([raw_event], self.clock, self.now, arrived=None)
        if accepted.dead:
            raise ValueError(f"the stream refuses the event: {accepted.dead[0].reason}")
        if accepted.time:
            self.state.queue(self.state.coder.events(accepted.time, accepted.created, accepted.columns))
        self.advance(max(self.clock, oracle.micros(report["event_timestamp"]) + 1))

    def counted(self, until: int, tenant: str) -> list[Arrival]:
        """The events before a moment, each enriched with the rows that had arrived at the first such call."""
        source = self.table.source
        events = first_events(source, self.reports[source.name], tenant)
        counted = {}
        for event in events:
            identity = (event["event_timestamp"], *(event[name] for name in source.key))
            if oracle.micros(event["event_timestamp"]) < until:
                known = self._counted.get(identity)
                counted[identity] = known or oracle.enriched(self.table, event, self.reports)
        self._counted = counted
        return list(counted.values())

    def advance(self, moment: int) -> None:
        """Lets time pass up to a moment, and pushes the rows that are due."""
        self.clock = moment
        self.state.advance(moment)
        live = self.state.tables[0]
        codes = live.due()
        if not len(codes):
            return
        rows = LiveRows.of(live, codes)
        keys = zip(*live.keys.values(codes).values(), strict=True)
        size = len(codes)
        columns = {
            name: array.slice(place * size, size).to_pylist()
            for names, array in rows.columns.items()
            for place, name in enumerate(names)
        }
        for number, key in enumerate(keys):
            self.rows[key] = {name: values[number] for name, values in columns.items()}


def compare(table: WindowedTable, reports: Reports, tenant: str) -> Difference | None:
    """Compares the rows of a table with the definition after each arrival, between arrivals, and after the last one.

    An event is enriched with what has arrived when it is counted.

    Args:
        table: the declaration.
        reports: reports of events and of rows of dimensions.
        tenant: value of the columns that all events share.

    Returns:
        The first difference; None if there is none.
    """
    online = Online(table, tenant)
    for name, report in in_order_of_arrival(reports):
        if name != table.source.name:
            online.learn(name, report)
            continue
        time = oracle.micros(report["event_timestamp"])
        if online.clock and time > online.clock + 1:
            online.advance((online.clock + time) // 2)
            difference = _compare(online, tenant)
            if difference:
                return difference
        online.arrive(report)
        difference = _compare(online, tenant)
        if difference:
            return difference
    for moment in _quiet_moments(table, reports[table.source.name], online.clock):
        online.advance(moment)
        difference = _compare(online, tenant)
        if difference:
            return difference
    return None


def _compare(online: Online, tenant: str) -> Difference | None:
    """Compares the newest row of every key at the stream's clock."""
    table = online.table
    at = oracle.floor(online.clock, table.unit)
    by_key = events_by_key(table, online.counted(at, tenant))
    for key in sorted({*by_key, *online.rows}):
        own_key = dict(zip(table.keys, key, strict=True))
        difference = compare_row(table, own_key, at, online.rows.get(key), by_key.get(key))
        if difference:
            column, expected, found = difference
            return Difference(column, own_key, at, expected, found, DEFINITION, ENGINE, online.reports)
    return None


def _quiet_moments(table: WindowedTable, reports: Sequence[Arrival], after: int) -> Iterator[int]:
    """Moments after the last arrival at which events leave windows."""
    times = {gone for report in reports for gone in leaves(table, oracle.micros(report["event_timestamp"]))}
    due = sorted(-(-time // table.unit) * table.unit for time in times if time > after)
    yield from dict.fromkeys(due[:: max(len(due) // QUIET_MOMENTS, 1)])


def to_json(report: Arrival) -> bytes:
    """A report of an event as the stream receives it."""
    present = {name: value for name, value in report.items() if value is not None}
    return json.dumps(present, default=datetime.isoformat).encode()
