"""Tiles and events that a run takes from memory are those of the files."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.contract import contract_of
from feature_repo.home import Home
from transforms.batch.windows.tile_store import TileStore
from transforms.day_frames import DayFrames
from transforms.raw import days as raw_days
from transforms.raw.days import RawDays
from transforms.raw.ingest import Batch, ingest

FIRST, NOW = datetime(2026, 1, 5, 23, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
TABLES = ("user_listening", "user_history", "user_behavior", "user_track_history")


def store_plays(home: Home, count: int = 12) -> None:
    """One play every 14 hours: some days have two, some have one."""
    times = [FIRST + timedelta(hours=14 * number) for number in range(count)]
    rows = {
        "user_id": ["ann", "bob"] * (count // 2),
        "track_id": [f"t{number % 5}" for number in range(count)],
        "artist_id": [None if number % 4 == 0 else f"a{number % 3}" for number in range(count)],
        "ms_played": [1_000 * number for number in range(count)],
        "event_timestamp": times,
        "created_timestamp": [time + timedelta(days=number % 2) for number, time in enumerate(times)],
    }
    ingest(home, "test", [Batch("plays", pl.DataFrame(rows))])


@pytest.mark.parametrize("name", TABLES)
def test_tiles_of_this_run_are_those_of_the_files(home: Home, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store_plays(home)
    table, days = contract_of(home).windowed[name], RawDays.of(home, "plays")
    store = TileStore(home, table, days)
    store.update(now=NOW)
    later = TileStore(home, table, days)
    spans = [[*days.paths], [*days.paths][2:4], []]
    from_files = [later.read(span) for span in spans]
    monkeypatch.setattr("transforms.batch.windows.tile_store._read", None)
    for span, expected in zip(spans, from_files, strict=True):
        tile_set = store.read(span)
        assert tile_set.keys() == expected.keys()
        for part, frame in expected.items():
            assert_frame_equal(tile_set[part], frame)


@pytest.mark.parametrize("most_rows", [0, 3, 100])
def test_events_are_the_same_whatever_is_kept(home: Home, most_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    store_plays(home)
    days = RawDays.of(home, "plays")
    paths = [*days.paths]
    columns = ["track_id", "user_id"]
    spans = [paths[:3], paths[2:5], paths[4:1:-1], paths, []]
    with monkeypatch.context() as patch:
        patch.setattr(raw_days, "KEPT_ROWS", 0)
        from_files = [days.load(span, columns) for span in spans]
    keeping = RawDays(days.paths, days.rows, days.digests, days.table, DayFrames(most_rows))
    for span, expected in zip(spans, from_files, strict=True):
        assert_frame_equal(keeping.load(span, columns), expected)


def test_a_raw_file_is_read_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store_plays(home)
    days = RawDays.of(home, "plays")
    days.load(days.paths, ["user_id"])
    monkeypatch.setattr(raw_days, "read_days", None)
    monkeypatch.setattr(raw_days, "scan_files", None)
    assert days.load(days.paths, ["track_id", "ms_played"]).height == 12
