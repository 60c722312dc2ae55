"""Rows equal a loop over all events, at every moment, also where no row was written."""

import bisect
import math
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from feature_repo.windows import Distinct, TopK, WindowedTable, plays
from tests.oracles import windows as oracle
from tests.windowed import DAY, DAYS, START, TABLES_TESTED, frame, moments, play_lists, same
from transforms.batch.windows.rows import rows as compute
from transforms.batch.windows.tiles import counted_events, merge_tiles, tiles


def everything_of(table: WindowedTable, events: list[dict[str, Any]]) -> pl.DataFrame:
    first, stop = oracle.micros(START), oracle.micros(START + (DAYS + 450) * DAY)
    return compute(table, tiles(table, counted_events(table, frame(events), "default"), table.unit), first, stop)


@pytest.mark.parametrize("name", TABLES_TESTED)
@settings(max_examples=20, deadline=None)
@given(events=play_lists())
def test_the_newest_row_is_the_window_at_every_moment(name: str, events: list[dict[str, Any]]) -> None:
    table = TABLES_TESTED[name]
    by_key: dict[tuple, list[dict[str, Any]]] = {}
    for row in everything_of(table, events).sort("event_timestamp").to_dicts():
        by_key.setdefault(tuple(row[key] for key in table.keys), []).append(row)
    keys = {
        tuple(event[key] for key in table.keys) for event in events if table.where is None or table.where.holds(event)
    }
    assert by_key.keys() == {key for key in keys if None not in key}
    nothing = oracle.values(table, [], {}, 0)
    for key, rows in by_key.items():
        times = [oracle.micros(row["event_timestamp"]) for row in rows]
        assert sorted(set(times)) == times
        for moment in moments(table, events):
            place = bisect.bisect_right(times, moment) - 1
            row = rows[place] if place >= 0 else nothing
            expected = oracle.values(table, events, dict(zip(table.keys, key, strict=True)), moment)
            for field, value in expected.items():
                assert same(row[field], value), (key, moment, field, row[field], value)


@settings(max_examples=25, deadline=None)
@given(events=play_lists())
def test_a_row_is_known_when_its_last_event_is(events: list[dict[str, Any]]) -> None:
    table = TABLES_TESTED["daily"]
    unending = {name: f for name, f in table.features.items() if not f.of_the_moment}
    table = WindowedTable("some", "", plays, table.keys, table.windows, unending)
    for row in everything_of(table, events).to_dicts():
        at = oracle.micros(row["event_timestamp"])
        used = oracle.inside(
            oracle.of_key(table, events, {"user_id": row["user_id"]}), at, 28 * 86_400_000_000, 86_400_000_000
        )
        assert row["created_timestamp"] == max([row["event_timestamp"], *(e["created_timestamp"] for e in used)])


@pytest.mark.parametrize("name", ["daily", "live", "live_lifetime", "daily_lifetime", "user_history"])
@settings(max_examples=10, deadline=None)
@given(events=play_lists(), cut=st.integers(1, DAYS - 1))
def test_the_past_summed_up_gives_the_same_rows(name: str, events: list[dict[str, Any]], cut: int) -> None:
    table = TABLES_TESTED[name]
    since = oracle.micros(START + cut * DAY)
    first, stop = since + table.reach, since + table.reach + 500 * 86_400_000_000
    told = counted_events(table, frame(events), "default")
    whole = tiles(table, told, table.unit)
    old, new = (
        tiles(table, told.filter(condition), width)
        for condition, width in ((pl.col("time") < since, 86_400_000_000), (pl.col("time") >= since, table.unit))
    )
    summed = merge_tiles(table, [old], since - table.unit)
    together = {part: pl.concat([summed[part], new[part].select(summed[part].columns)]) for part in new}
    order = [*table.keys, "event_timestamp"]
    expected = compute(table, whole, first, stop).sort(order)
    found = compute(table, together, first, stop, since=since).sort(order)
    keyed = expected.join(found.select(order), on=order, how="semi").sort(order)
    assert keyed.height == found.height
    for field, _ in table.fields:
        for one, other in zip(found[field].to_list(), keyed[field].to_list(), strict=True):
            assert same(one, other), field


def test_beyond_exact_values_are_estimated() -> None:
    table = WindowedTable(
        "crowd", "", plays, ("platform_id",), ("1d", "7d"), {"listeners": Distinct("user_id", exact=64)}
    )
    events = [
        {
            "user_id": f"u{number * 7919 % 3000:06}",
            "track_id": "t",
            "artist_id": None,
            "event_timestamp": START + timedelta(minutes=4 * number),
            "created_timestamp": START + timedelta(minutes=4 * number),
            "platform_id": "default",
        }
        for number in range(4_000)
    ]
    for row in everything_of(table, events).to_dicts():
        expected = oracle.values(table, events, {"platform_id": "default"}, oracle.micros(row["event_timestamp"]))
        assert {name: row[name] for name in expected} == expected
        exact = len(
            {
                e["user_id"]
                for e in oracle.inside(
                    events, oracle.micros(row["event_timestamp"]), 7 * 86_400_000_000, 86_400_000_000
                )
            }
        )
        assert abs(row["listeners_7d"] - exact) <= 4 * 1.2 / math.sqrt(64) * exact


def test_many_keys_are_done_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.batch.windows.items import Grid

    events = [
        {
            "user_id": f"u{number % 37}",
            "track_id": f"t{number % 5}",
            "artist_id": f"a{number % 11}",
            "event_timestamp": START + timedelta(hours=number),
            "created_timestamp": START + timedelta(hours=number),
            "ms_played": number,
            "skipped": False,
        }
        for number in range(300)
    ]
    for name in ("live", "user_artist_affinity"):
        table = TABLES_TESTED[name]
        order = [*table.keys, "event_timestamp"]
        whole = everything_of(table, events).sort(order)
        with monkeypatch.context() as patch:
            patch.setattr(Grid, "max_keys", 10)
            pieces = everything_of(table, events).sort(order)
        assert pieces.drop("faded_mass", "faded_ms_mass", strict=False).equals(
            whole.drop("faded_mass", "faded_ms_mass", strict=False)
        )


def test_the_two_ways_to_the_most_frequent_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.batch.windows import top_k as module

    moment = [START + timedelta(hours=7 * number) for number in range(150)]
    events = [
        {
            "user_id": f"u{number % 4}",
            "track_id": "t",
            "artist_id": None if number % 13 == 0 else f"a{number * number % 17}",
            "event_timestamp": at,
            "created_timestamp": at,
        }
        for number, at in enumerate(moment)
    ]
    table = WindowedTable("tops", "", plays, ("user_id",), ("1d", "7d"), {"top": TopK("artist_id", k=3)}, every="event")
    found = []
    for sparse in (0, 1_000):
        monkeypatch.setattr(module, "SPARSE", sparse)
        found.append(everything_of(table, events))
    assert found[0].equals(found[1])
    for row in found[0].to_dicts():
        at = oracle.micros(row["event_timestamp"])
        expected = oracle.values(table, events, {"user_id": row["user_id"]}, at)
        assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize("name", ["daily", "hourly", "live", "daily_lifetime"])
@settings(max_examples=10, deadline=None)
@given(events=play_lists())
def test_rows_of_one_moment_are_those_among_all(name: str, events: list[dict[str, Any]]) -> None:
    alone_and_among_all(TABLES_TESTED[name], events, most=8)


def test_estimates_of_one_moment_are_those_among_all() -> None:
    table = WindowedTable("crowd", "", plays, ("user_id",), ("1d", "7d"), {"tracks": Distinct("track_id", exact=16)})
    events = [
        {
            "user_id": f"u{number % 3}",
            "track_id": f"t{number * 7919 % 700}",
            "artist_id": None,
            "event_timestamp": START + timedelta(minutes=5 * number),
            "created_timestamp": START + timedelta(minutes=5 * number),
        }
        for number in range(3_000)
    ]
    alone_and_among_all(table, events, most=20)


def alone_and_among_all(table: WindowedTable, events: list[dict[str, Any]], most: int) -> None:
    told = tiles(table, counted_events(table, frame(events), "default"), table.unit)
    together = compute(table, told, oracle.micros(START), oracle.micros(START + (DAYS + 450) * DAY))
    of_moments = together.partition_by("event_timestamp", as_dict=True)
    for (moment,), rows in list(of_moments.items())[:: max(len(of_moments) // most, 1)]:
        at = oracle.micros(moment)
        so_far = {name: part.filter(pl.col("at") < at) for name, part in told.items()}
        assert_frame_equal(compute(table, so_far, at, at + table.unit), rows)
