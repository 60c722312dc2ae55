"""Windowed rows equal a loop over all events at every moment, including moments without a row."""

import bisect
import math
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Distinct, LastN, TopK, WindowedTable
from tests.oracles import windows as oracle
from tests.windowed import DAY, DAYS, START, TABLES_TESTED, frame, moments, play_lists, same
from transforms.batch.windows.rows import rows as compute
from transforms.batch.windows.tiles import counted_events, merge_tiles, tiles


def all_rows(table: WindowedTable, events: list[dict[str, Any]]) -> pl.DataFrame:
    first, stop = oracle.micros(START), oracle.micros(START + (DAYS + 450) * DAY)
    return compute(table, tiles(table, counted_events(table, frame(events), "default"), table.unit), first, stop)


@pytest.mark.parametrize("name", TABLES_TESTED)
@settings(max_examples=20, deadline=None)
@given(events=play_lists())
def test_the_newest_row_is_the_window_at_every_moment(name: str, events: list[dict[str, Any]]) -> None:
    table = TABLES_TESTED[name]
    by_key: dict[tuple, list[dict[str, Any]]] = {}
    for row in all_rows(table, events).sort("event_timestamp").to_dicts():
        by_key.setdefault(tuple(row[key] for key in table.keys), []).append(row)
    keys = {
        tuple(event[key] for key in table.keys) for event in events if table.where is None or table.where.holds(event)
    }
    assert by_key.keys() == {key for key in keys if None not in key}
    empty_values = oracle.values(table, [], {}, 0)
    for key, rows in by_key.items():
        times = [oracle.micros(row["event_timestamp"]) for row in rows]
        assert sorted(set(times)) == times
        for moment in moments(table, events):
            index = bisect.bisect_right(times, moment) - 1
            row = rows[index] if index >= 0 else empty_values
            expected = oracle.values(table, events, dict(zip(table.keys, key, strict=True)), moment)
            for field, value in expected.items():
                assert same(row[field], value), (key, moment, field, row[field], value)


@settings(max_examples=25, deadline=None)
@given(events=play_lists())
def test_a_row_is_known_when_its_last_event_is(events: list[dict[str, Any]]) -> None:
    table = TABLES_TESTED["daily"]
    time_independent = {name: feature for name, feature in table.features.items() if not feature.of_the_moment}
    table = WindowedTable("some", "", table.source, table.keys, table.windows, time_independent)
    for row in all_rows(table, events).to_dicts():
        moment = oracle.micros(row["event_timestamp"])
        events_in_window = oracle.inside(
            oracle.of_key(table, events, {"user_id": row["user_id"]}), moment, 28 * 86_400_000_000, 86_400_000_000
        )
        assert row["created_timestamp"] == max(
            [row["event_timestamp"], *(event["created_timestamp"] for event in events_in_window)]
        )


@pytest.mark.parametrize("name", ["daily", "live", "live_lifetime", "daily_lifetime", "user_history"])
@settings(max_examples=10, deadline=None)
@given(events=play_lists(), cut=st.integers(1, DAYS - 1))
def test_the_past_summed_up_gives_the_same_rows(name: str, events: list[dict[str, Any]], cut: int) -> None:
    table = TABLES_TESTED[name]
    since = oracle.micros(START + cut * DAY)
    first, stop = since + table.reach, since + table.reach + 500 * 86_400_000_000
    counted = counted_events(table, frame(events), "default")
    all_tiles = tiles(table, counted, table.unit)
    past_tiles, new_tiles = (
        tiles(table, counted.filter(condition), width)
        for condition, width in ((pl.col("time") < since, 86_400_000_000), (pl.col("time") >= since, table.unit))
    )
    summed = merge_tiles(table, [past_tiles], since - table.unit)
    combined = {
        tile_part: pl.concat([summed[tile_part], new_tiles[tile_part].select(summed[tile_part].columns)])
        for tile_part in new_tiles
    }
    order = [*table.keys, "event_timestamp"]
    expected = compute(table, all_tiles, first, stop).sort(order)
    summed_rows = compute(table, combined, first, stop, since=since).sort(order)
    matching = expected.join(summed_rows.select(order), on=order, how="semi").sort(order)
    assert matching.height == summed_rows.height
    for field, _ in table.fields:
        for value, expected_value in zip(summed_rows[field].to_list(), matching[field].to_list(), strict=True):
            assert same(value, expected_value), field


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
    for row in all_rows(table, events).to_dicts():
        expected = oracle.values(table, events, {"platform_id": "default"}, oracle.micros(row["event_timestamp"]))
        assert {name: row[name] for name in expected} == expected
        exact = len(
            {
                event["user_id"]
                for event in oracle.inside(
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
        ungrouped = all_rows(table, events).sort(order)
        with monkeypatch.context() as patch:
            patch.setattr(Grid, "max_keys", 10)
            grouped = all_rows(table, events).sort(order)
        assert grouped.drop("faded_mass", "faded_ms_mass", strict=False).equals(
            ungrouped.drop("faded_mass", "faded_ms_mass", strict=False)
        )


def test_the_ways_to_the_most_frequent_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.batch.windows import top_k as module

    times = [START + timedelta(hours=7 * number) for number in range(150)]
    events = [
        {
            "user_id": f"u{number % 4}",
            "track_id": "t",
            "artist_id": None if number % 13 == 0 else f"a{number * number % 17}",
            "event_timestamp": time,
            "created_timestamp": time,
        }
        for number, time in enumerate(times)
    ]
    table = WindowedTable("tops", "", plays, ("user_id",), ("1d", "7d"), {"top": TopK("artist_id", k=3)}, every="event")
    by_prefix_sums, results = module._by_prefix_sums, []
    for sparse, prefix_sums in ((1_000, by_prefix_sums), (1_000, lambda *_: None), (0, by_prefix_sums)):
        monkeypatch.setattr(module, "SPARSE", sparse)
        monkeypatch.setattr(module, "_by_prefix_sums", prefix_sums)
        results.append(all_rows(table, events))
    assert results[0].equals(results[1])
    assert results[0].equals(results[2])
    for row in results[0].to_dicts():
        time = oracle.micros(row["event_timestamp"])
        expected = oracle.values(table, events, {"user_id": row["user_id"]}, time)
        assert {name: row[name] for name in expected} == expected


def test_the_newest_distinct_values_are_those_of_the_whole_window(monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.batch.windows import last_n as module

    rng = np.random.default_rng(3)
    times = [START + timedelta(minutes=int(minutes)) for minutes in np.sort(rng.integers(0, 60 * 24 * 40, 400))]
    events = [
        {
            "user_id": f"u{number % 3}",
            "track_id": f"t{int(rng.pareto(0.7)) % 40}",
            "artist_id": None,
            "event_timestamp": time,
            "created_timestamp": time,
        }
        for number, time in enumerate(times)
    ]
    features = {"newest": LastN("track_id", n=4, distinct=True)}
    for every in ("event", "1d"):
        table = WindowedTable("newest", "", plays, ("user_id",), ("7d", "lifetime"), features, every=every)
        results = []
        for look_back in (1, 2, 1_000):
            monkeypatch.setattr(module, "LOOK_BACK", look_back)
            results.append(all_rows(table, events))
        assert results[0].equals(results[2])
        assert results[1].equals(results[2])


@pytest.mark.parametrize("name", ["daily", "hourly", "live", "daily_lifetime"])
@settings(max_examples=10, deadline=None)
@given(events=play_lists())
def test_rows_of_one_moment_are_those_among_all(name: str, events: list[dict[str, Any]]) -> None:
    assert_same_alone(TABLES_TESTED[name], events, sample_size=3)


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
    assert_same_alone(table, events, sample_size=10)


def assert_same_alone(table: WindowedTable, events: list[dict[str, Any]], sample_size: int) -> None:
    all_tiles = tiles(table, counted_events(table, frame(events), "default"), table.unit)
    rows_of_all = compute(table, all_tiles, oracle.micros(START), oracle.micros(START + (DAYS + 450) * DAY))
    rows_by_moment = rows_of_all.partition_by("event_timestamp", as_dict=True)
    for (moment,), rows in list(rows_by_moment.items())[:: max(len(rows_by_moment) // sample_size, 1)]:
        micros = oracle.micros(moment)
        earlier_tiles = {name: tile_part.filter(pl.col("at") < micros) for name, tile_part in all_tiles.items()}
        assert_frame_equal(compute(table, earlier_tiles, micros, micros + table.unit), rows)
