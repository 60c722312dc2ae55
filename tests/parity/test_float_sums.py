"""Aggregates of floats in units and of integers of any size equal exact fractions to the last bit but one.

In batch and stream, in any order.
"""

import math
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from feature_repo.windows import First, Last, Max, Mean, Min, Previous, Ratio, Slope, Std, Sum, WindowedTable
from tests.oracles import windows as oracle
from tests.transforms.batch.windows.test_rows import all_rows
from tests.transforms.stream.test_live_table import Online, encode_events
from tests.windowed import listens, play_lists
from transforms.stream.state.events import Coder
from transforms.stream.state.live_table import LiveTable

FEATURES = {
    "sum": Sum("price"),
    "mean": Mean("price"),
    "spread": Std("price"),
    "trend": Slope("price"),
    "least": Min("price"),
    "most": Max("price"),
    "first": First("price"),
    "last": Last("price"),
    "before": Previous("price"),
    "share": Ratio("sum", "most"),
    "number_sum": Sum("number"),
    "number_mean": Mean("number"),
    "number_spread": Std("number"),
    "number_trend": Slope("number"),
    "least_number": Min("number"),
    "most_number": Max("number"),
}
TABLE = WindowedTable("sums", "", listens, ("user_id",), ("1h", "1d", "14d", "lifetime"), FEATURES, every="event")


def assert_exact(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        if value is None:
            assert found[name] is None, name
        else:
            assert math.isclose(found[name], value, rel_tol=1e-15), (name, found[name], value)


@settings(max_examples=40, deadline=None)
@given(events=play_lists())
def test_in_batch(events: list[dict[str, Any]]) -> None:
    for row in all_rows(TABLE, events).to_dicts():
        moment = oracle.micros(row["event_timestamp"])
        assert_exact(row, oracle.values(TABLE, events, {"user_id": row["user_id"]}, moment))


@settings(max_examples=40, deadline=None)
@given(events=play_lists(), data=st.data())
def test_in_the_stream(events: list[dict[str, Any]], data: st.DataObject) -> None:
    coder = Coder(TABLE.source, "default", TABLE.coded)
    live = LiveTable(TABLE, coder.words, coder.pairs)
    online, clock = Online(live), max(oracle.micros(event["event_timestamp"]) for event in events) + 1
    arrivals = data.draw(st.permutations(events))
    for start in range(0, len(arrivals), 7):
        live.add(live.additions_of(encode_events(coder, arrivals[start : start + 7])))
        live.advance(clock - data.draw(st.integers(0, 86_400_000_000)))
    live.advance(clock)
    online.update()
    for (user,), row in online.rows.items():
        assert_exact(row, oracle.values(TABLE, events, {"user_id": user}, clock))
