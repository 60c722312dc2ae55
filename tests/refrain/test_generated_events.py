"""Generated events are hard on windows, and failing sequences of them become small."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, CountIf, EventSource, Std, WindowedTable, column
from refrain.checking import batch, stream
from refrain.checking.difference import Difference, same
from refrain.checking.generate import Arrival, arrivals, final_events, first_events, valid
from refrain.checking.shrink import shrink
from tests.windowed import TABLES_TESTED
from transforms.raw.declared import table_of

TABLES = [
    WindowedTable(
        "made",
        "",
        plays,
        ("user_id",),
        ("1d",),
        {"n": Count(), "long": CountIf(where=column("ms_played") >= 30_000)},
        where=column("device") != "tv",
    )
]
SEEDS = st.integers(0, 10_000)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_generated_events_have_everything_that_is_hard(seed: int) -> None:
    reports = arrivals(plays, TABLES, 80, seed)
    assert reports == arrivals(plays, TABLES, 80, seed) != arrivals(plays, TABLES, 80, seed + 1)
    assert valid(table_of(plays), reports) == (reports, set())
    identity = Counter((report["event_timestamp"], report["user_id"], report["track_id"]) for report in reports)
    assert len(identity) == 80
    assert sum(count > 1 for count in identity.values()) == 16
    times = [report["event_timestamp"] for report in reports]
    assert any(later < earlier for earlier, later in pairwise(times))
    assert len({time for time, *_ in identity}) < 80, "ties"
    assert any(report["created_timestamp"] > report["event_timestamp"] for report in reports)
    values = {name: {report[name] for report in reports} for name in plays.columns}
    assert "tv" in values["device"]
    assert values["ms_played"] & {29_999, 30_000, 30_001}
    assert values["skipped"] == {None, True, False}
    assert None not in values["user_id"] | values["track_id"]


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_of_an_event_the_newest_report_counts_in_the_end_and_the_first_in_the_stream(seed: int) -> None:
    reports = arrivals(plays, TABLES, 120, seed)
    final, first = (choose(plays, reports, "second") for choose in (final_events, first_events))
    assert len(final) == len(first) == 120
    assert all(event["platform_id"] == "second" for event in (*final, *first))
    assert sum(event not in first for event in final) > 0
    for event in final:
        versions = [
            report
            for report in reports
            if all(report[name] == event[name] for name in ("event_timestamp", "user_id", "track_id"))
        ]
        assert event["created_timestamp"] == max(version["created_timestamp"] for version in versions)
        assert {**versions[0], "platform_id": "second"} in first


@pytest.mark.parametrize("name", TABLES_TESTED)
def test_batch_and_stream_equal_the_definition(name: str) -> None:
    table = TABLES_TESTED[name]
    reports = {table.source.name: arrivals(table.source, [table], 50, 11)}
    rows = batch.computed(table, {table.source.name: table_of(table.source)}, reports, "default")
    assert batch.compare(table, rows, reports, "default") is None
    assert stream.compare(table, reports, "default") is None


def test_deviations_of_large_numbers_are_compared_up_to_their_precision() -> None:
    ranges = {"cents": (500_000_000, 600_000_000)}
    source = EventSource("bills", {"account": "String", "cents": "Int64"}, key=("account",), ranges=ranges)
    table = WindowedTable("bills", "", source, ("account",), ("7d",), {"spread": Std("cents")}, every="event")
    reports = {"bills": arrivals(source, [table], 50, 0)}
    assert {report["cents"] for report in reports["bills"]} == {500_000_000, 500_500_000, 501_000_000, None}
    rows = batch.computed(table, {"bills": table_of(source)}, reports, "default")
    assert batch.compare(table, rows, reports, "default") is None
    next(row for history in rows.values() for row in history.rows if row["spread_7d"])["spread_7d"] += 1_000.0
    difference = batch.compare(table, rows, reports, "default")
    assert difference is not None
    assert difference.column == "spread_7d"


def test_a_source_of_keys_alone_has_no_corrections() -> None:
    source = EventSource("visits", columns={"page": "String"}, key=("page",))
    reports = arrivals(source, [], 30, 0)
    assert len(reports) > len(final_events(source, reports, "default")) == 30


@settings(max_examples=100, deadline=None)
@given(events=st.lists(st.integers(0, 9), min_size=3, max_size=40), culprits=st.sets(st.integers(0, 9), min_size=1))
def test_a_failing_sequence_becomes_as_small_as_it_can(events: list[int], culprits: set[int]) -> None:
    """The check fails if all culprits are there; of each, one is left, in the order of arrival."""
    reports = [{"number": number, "place": place} for place, number in enumerate(events)]

    def check(some_reports: Sequence[Arrival]) -> Difference | None:
        missing = culprits - {report["number"] for report in some_reports}
        return None if missing else Difference("", {}, None, 0, 1, "", "")

    smallest, difference = shrink(reports, check)
    if culprits <= set(events):
        assert difference is not None
        assert sorted(report["number"] for report in smallest) == sorted(culprits)
        assert smallest == sorted(smallest, key=lambda report: report["place"])
    else:
        assert (smallest, difference) == (reports, None)


def test_shrinking_ends_in_time() -> None:
    reports = [{"place": place} for place in range(100)]
    smallest, difference = shrink(reports, lambda events: Difference("", {}, None, 0, 1, "", ""), seconds=-1.0)
    assert (smallest, difference is None) == (reports, False)


@pytest.mark.parametrize(
    ("found", "expected", "is_same"),
    [
        (1, 1, True),
        (1, 2, False),
        (0.1 + 0.2, 0.3, True),
        (2.505, 2.5, False),
        (float("nan"), None, True),
        (0, None, False),
        (None, 0, False),
        (None, "", False),
        ("1", 1.0, False),
        ([1, 2], [1, 2], True),
        ([1], [1, 2], False),
        ([None, "a"], ["a", None], False),
        (timedelta(1), timedelta(1), True),
    ],
)
def test_values_are_compared_up_to_rounding(found: object, expected: object, is_same: bool) -> None:
    assert same(found, expected) is is_same
