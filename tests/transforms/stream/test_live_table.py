"""A live table equals a loop over all events, after every prefix of the stream and between events."""

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from feature_repo.windows import WindowedTable
from tests.live import columns_of
from tests.oracles import windows as oracle
from tests.windowed import TABLES_TESTED, play_lists, same
from transforms.stream.state.events import Coder, Events
from transforms.stream.state.live_rows import LiveRows
from transforms.stream.state.live_table import LiveTable


def encode_events(coder: Coder, events: list[dict[str, Any]]) -> Events:
    columns = {name: [event[name] for event in events] for name in coder.source.columns}
    times, created = (
        [oracle.micros(event[name]) for event in events] for name in ("event_timestamp", "created_timestamp")
    )
    return coder.events(times, created, columns)


class Online:
    """The online store as readers see it: the newest row of each key."""

    def __init__(self, live: LiveTable) -> None:
        self.live, self.rows = live, {}

    def update(self) -> None:
        rows = LiveRows.of(self.live, self.live.due())
        keys = list(zip(*self.live.keys.values(rows.codes).values(), strict=True))
        columns = {name: values.to_pylist() for name, values in columns_of(rows).items()}
        for index, key in enumerate(keys):
            row = {name: values[index] for name, values in columns.items()}
            row |= {"at": int(rows.event[index]), "created": int(rows.created[index])}
            current = self.rows.get(key)
            if current is None or (row["at"], row["created"]) >= (current["at"], current["created"]):
                self.rows[key] = row


def counted_until(table: WindowedTable, clock: int) -> int:
    """Returns the time before which events count."""
    return clock - clock % table.unit


def last_change(table: WindowedTable, events: list[dict[str, Any]], edge: int) -> int:
    """Returns the newest time at which an event entered or left a window."""
    times = []
    for event in events:
        time = oracle.micros(event["event_timestamp"])
        times.append(oracle.floor(time, table.unit) + table.unit)
        for window in table.windows:
            if window != "lifetime":
                width = timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[window[-1]]: int(window[:-1])})
                hop = oracle.hop_of(table, width)
                times.append(oracle.floor(time, hop) + hop + width // timedelta(microseconds=1))
    return max(change for change in times if change <= edge)


def check(table: WindowedTable, online: Online, events: list[dict[str, Any]], clock: int) -> None:
    edge = counted_until(table, clock)
    counted_events = [event for event in events if oracle.micros(event["event_timestamp"]) < edge]
    keys = {
        tuple(event[key] for key in table.keys)
        for event in counted_events
        if table.where is None or table.where.holds(event)
    }
    keys = {key for key in keys if None not in key}
    assert online.rows.keys() == keys
    for key in keys:
        expected = oracle.values(table, counted_events, dict(zip(table.keys, key, strict=True)), edge)
        row = online.rows[key]
        for field, value in expected.items():
            assert same(row[field], value), (key, clock, field, row[field], value)
        assert row["at"] == last_change(
            table, oracle.of_key(table, counted_events, dict(zip(table.keys, key, strict=True))), edge
        )
        assert row["created"] >= row["at"]


@pytest.mark.parametrize("name", TABLES_TESTED)
@settings(max_examples=20, deadline=None)
@given(events=play_lists(), data=st.data())
def test_every_prefix_in_any_order(name: str, events: list[dict[str, Any]], data: st.DataObject) -> None:
    replay(name, events, data)


@pytest.mark.parametrize("name", ["live", "daily_lifetime", "user_session"])
@settings(max_examples=20, deadline=None)
@given(events=play_lists(), data=st.data())
def test_ties_are_settled_by_letters(name: str, events: list[dict[str, Any]], data: st.DataObject) -> None:
    event_by_key = {}
    for event in events:
        moment = event["event_timestamp"]
        moment = moment.replace(day=1, month=3, hour=moment.hour % 2, minute=moment.minute % 2, second=0, microsecond=0)
        event_by_key[event["user_id"], event["track_id"], moment] = {
            **event,
            "event_timestamp": moment,
            "created_timestamp": moment,
        }
    replay(name, list(event_by_key.values()), data)


def replay(name: str, events: list[dict[str, Any]], data: st.DataObject) -> None:
    table = TABLES_TESTED[name]
    coder = Coder(table.source, "default", table.coded)
    live = LiveTable(table, coder.words, coder.pairs)
    online, received, clock = Online(live), [], 0
    waiting: list[dict[str, Any]] = []
    order = data.draw(st.permutations(events))
    if data.draw(st.booleans()):
        order = sorted(order, key=lambda event: event["event_timestamp"])
    while order:
        size = data.draw(st.integers(1, 5))
        batch, order = order[:size], order[size:]
        received += batch
        waiting += batch
        clock = max(clock, *(oracle.micros(event["event_timestamp"]) + 1 for event in batch))
        if data.draw(st.booleans()):  # time passes without an event
            clock += data.draw(st.sampled_from([1, 299_999_999, 3_600_000_000, 86_400_000_000, 20 * 86_400_000_000]))
        edge = counted_until(table, clock)
        due_events = [event for event in waiting if oracle.micros(event["event_timestamp"]) < edge]
        waiting = [event for event in waiting if event not in due_events]
        if data.draw(st.booleans()):
            live.advance(edge)
        if due_events:
            live.add(live.additions_of(encode_events(coder, due_events)))
        live.advance(edge)
        online.update()
        check(table, online, received, clock)
