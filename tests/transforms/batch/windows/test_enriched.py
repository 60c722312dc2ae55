"""Events take what holds in their dimensions at their time: batch run and stream equal a loop over all rows."""

import random
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from refrain.checking import batch, oracle, stream
from refrain.checking.generate import Reports, arrivals
from tests.enriched import EPISODE, RAW, START, TABLES, episodes, histories
from transforms.batch.windows.enriched import Dimensions, enriched, states_of

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=15, deadline=None)
@given(reports=histories())
def test_every_moment_in_batch_and_every_prefix_in_the_stream(name: str, reports: Reports) -> None:
    table = TABLES[name]
    reports = {source.name: reports[source.name] for source in table.sources}
    assert batch.compare(table, batch.computed(table, RAW, reports, "default"), reports, "default") is None
    assert stream.compare(table, reports, "default") is None


@pytest.mark.parametrize("name", TABLES)
def test_generated_histories(name: str) -> None:
    table = TABLES[name]
    reports = {source.name: arrivals(source, list(TABLES.values()), 40, 3) for source in table.sources}
    rows = batch.computed(table, RAW, reports, "default")
    assert rows
    assert batch.compare(table, rows, reports, "default") is None
    assert stream.compare(table, reports, "default") is None


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=10, deadline=None)
@given(reports=histories())
def test_the_stream_equals_the_definition_when_dimensions_come_first(name: str, reports: Reports) -> None:
    table = TABLES[name]
    online = stream.Online(table, "default")
    for dimension in online.state.dimensions:
        for row in random.Random(len(reports["plays"])).sample(reports[dimension], len(reports[dimension])):
            online.learn(dimension, row)
    events = [oracle.enriched(table, {**play, "platform_id": "default"}, reports) for play in reports["plays"]]
    for number, play in enumerate(reports["plays"], start=1):
        online.arrive(play)
        at = oracle.floor(online.clock, table.unit)
        counted = [event for event in events[:number] if oracle.micros(event["event_timestamp"]) < at]
        by_key = batch.events_by_key(table, counted)
        assert by_key.keys() == online.rows.keys()
        for key, own_events in by_key.items():
            own_key = dict(zip(table.keys, key, strict=True))
            assert batch.compare_row(table, own_key, at, online.rows[key], own_events) is None


def rows_of(*rows: tuple[int, int, int, Any]) -> pl.DataFrame:
    """Rows of episodes: hour of event time and created time, episode, category."""
    raw = RAW["episodes"]
    return raw.conform(
        pl.DataFrame(
            [
                {
                    "event_timestamp": START + time * HOUR,
                    "created_timestamp": START + created * HOUR,
                    "episode": episode,
                    "category": category,
                }
                for time, created, episode, category in rows
            ],
            schema_overrides=raw.columns,
        )
    )


def plays_at(*plays: tuple[int, int | None]) -> pl.DataFrame:
    """Plays: hour, episode."""
    raw = RAW["plays"]
    rows = [{"event_timestamp": START + hour * HOUR, "heard": heard, "listener": "u"} for hour, heard in plays]
    return raw.conform(pl.DataFrame(rows, schema_overrides=raw.columns))


def taken(events: pl.DataFrame, rows: pl.DataFrame) -> list[tuple[str | None, float]]:
    """Category of each event, and the hour since which it is known."""
    out = enriched(events, EPISODE, states_of(EPISODE, rows))
    since = (out["created_timestamp"] - START).dt.total_seconds() / 3600
    return list(zip(out["category"], since, strict=True))


def test_the_newest_row_at_or_before_the_event_counts() -> None:
    rows = rows_of((2, 2, 1, "news"), (5, 5, 1, "music"), (4, 4, 2, "art"))
    events = plays_at((1, 1), (2, 1), (4, 1), (5, 1), (9, 1), (9, 3), (9, None))
    found = [category for category, _ in taken(events, rows)]
    assert found == [None, "news", "news", "music", "music", None, None]


def test_of_rows_with_one_time_the_one_created_last_counts() -> None:
    rows = rows_of((2, 7, 1, "late"), (2, 3, 1, "early"))
    assert taken(plays_at((4, 1)), rows) == [("late", 7)]


def test_an_event_is_known_when_its_values_are() -> None:
    rows = rows_of((1, 1, 1, "news"), (2, 50, 1, "news"), (3, 60, 1, "music"), (4, 8, 1, "art"))
    assert taken(plays_at((2, 1), (3, 1), (4, 1), (9, 1)), rows) == [("news", 2), ("music", 60), ("art", 8), ("art", 9)]


def test_days_depend_on_the_rows_up_to_their_end() -> None:
    table = TABLES["live"]
    empty = {name: raw.conform(pl.DataFrame(schema=raw.columns)) for name, raw in RAW.items()}

    def fingerprints(rows: pl.DataFrame) -> list[str]:
        dimensions = Dimensions(table, {**empty, "episodes": rows})
        return [dimensions.fingerprint((START + timedelta(days=day)).date()) for day in range(4)]

    before = fingerprints(rows_of((1, 1, 1, "news"), (25, 25, 2, "art")))
    late = fingerprints(rows_of((1, 1, 1, "news"), (25, 25, 2, "art"), (26, 99, 1, "music")))
    assert [one == other for one, other in zip(before, late, strict=True)] == [True, False, False, False]
    remarked = rows_of((1, 1, 1, "news"), (25, 25, 2, "art")).with_columns(remark=pl.lit("not taken"))
    assert fingerprints(remarked) == before
    assert "remark" in episodes.columns
