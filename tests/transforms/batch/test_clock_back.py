"""A build with a clock that is behind does not change what was known at the times of earlier builds."""

import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from feature_repo.home import Home
from tests.music import FEATURE_TABLES
from transforms import feature_tables
from transforms.batch.build import build
from transforms.batch.windows import tile_store
from transforms.raw.ingest import Batch, ingest

DAY = datetime(2026, 4, 10, tzinfo=UTC)
VIEWS = ("user_session", "user_listening", "user_artist_affinity")


def at(hours: float) -> datetime:
    return DAY + timedelta(hours=hours)


def ingest_plays(home: Home, artist: str, *moments: float, created: float | None = None) -> None:
    rows = {
        "user_id": ["ann"] * len(moments),
        "track_id": ["song"] * len(moments),
        "artist_id": [artist] * len(moments),
        "event_timestamp": [at(moment) for moment in moments],
        "created_timestamp": [at(moment if created is None else created) for moment in moments],
        "ms_played": [200_000] * len(moments),
        "skipped": [False] * len(moments),
    }
    ingest(home, "test", [Batch("plays", pl.DataFrame(rows))])


def rows_as_of(home: Home, view: str, moments: list[datetime], *, as_known_then: bool) -> list[list[tuple]]:
    """Returns the newest row of each key at the moments, as known then or with everything known now."""
    keys = list(FEATURE_TABLES[view].join_keys)
    rows = feature_tables.scan(home, view).collect().sort("event_timestamp", "created_timestamp")
    rows_of_moments = []
    for moment in moments:
        visible = pl.col("event_timestamp") <= moment
        if as_known_then:
            visible &= pl.col("created_timestamp") <= moment
        newest = rows.filter(visible).unique(keys, keep="last").sort(keys)
        rows_of_moments.append(newest.drop("event_timestamp", "created_timestamp").rows())
    return rows_of_moments


def current_rows(home: Home, view: str, hours: float) -> list[tuple]:
    return rows_as_of(home, view, [at(hours)], as_known_then=False)[0]


def history_as_known(home: Home, end: float) -> list[list[list[tuple]]]:
    """Returns the rows of all views at moments up to ``end``, each as known at that moment."""
    moments = [at(hour) for hour in np.arange(-60, end + 0.01, 2.5)]
    return [rows_as_of(home, view, moments, as_known_then=True) for view in VIEWS]


def plays_of_a_day(home: Home, moment: float) -> int:
    index = list(feature_tables.schema(FEATURE_TABLES["user_session"])).index("plays_1d") - 2
    return rows_as_of(home, "user_session", [at(moment)], as_known_then=True)[0][0][index]


def test_rows_that_are_not_due_are_not_gone(home: Home) -> None:
    ingest_plays(home, "x", *(hour + 0.5 for hour in range(20)))
    build(home, at(20.2))
    history_before = history_as_known(home, 20)
    assert [plays_of_a_day(home, moment) for moment in (20.1, 15)] == [20, 15]
    build(home, at(8))
    assert history_as_known(home, 20) == history_before
    build(home, at(20.4))
    assert history_as_known(home, 20) == history_before
    assert [plays_of_a_day(home, moment) for moment in (20.1, 15)] == [20, 15]


def test_what_is_corrected_by_a_clock_that_is_behind_is_known_no_earlier(home: Home) -> None:
    ingest_plays(home, "x", -30.5, -20.5, 3.5, 6.5, 15.5)
    build(home, at(20.2))
    history_before = history_as_known(home, 20)
    ingest_plays(home, "y", -30.5, 6.5, 15.5, created=20.3)
    shutil.rmtree(home.raw("plays") / f"date={at(-20.5).date()}")
    build(home, at(8))
    assert history_as_known(home, 20) == history_before
    build(home, at(20.4))
    assert history_as_known(home, 20) == history_before
    assert plays_of_a_day(home, 20.4) == 3


def test_what_is_gone_stays_so_while_it_is_not_due(home: Home) -> None:
    ingest_plays(home, "x", 3.5, 6.5)
    ingest_plays(home, "x", -20.5)
    build(home, at(30))
    ingest_plays(home, "y", 6.5, created=30.1)
    ingest_plays(home, "y", 3.5, created=30.1)
    build(home, at(30.2))
    history_before, affinity_before = history_as_known(home, 30), current_rows(home, "user_artist_affinity", 30.2)
    build(home, at(8))
    build(home, at(30.3))
    assert history_as_known(home, 30) == history_before
    assert current_rows(home, "user_artist_affinity", 30.3) == affinity_before


def test_other_code_by_a_clock_that_is_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest_plays(home, "x", 3.5, 6.5, 15.5)
    build(home, at(20.2))
    expected = current_rows(home, "user_session", 20.2)
    monkeypatch.setattr(tile_store, "_code", lambda: "other code")
    build(home, at(8))
    build(home, at(20.4))
    assert current_rows(home, "user_session", 20.2) == expected


@pytest.mark.parametrize("seed", [0, 1])
def test_clocks_that_go_to_and_fro(home: Home, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Plays arrive, are corrected and are built with varying clocks; what was known in the past stays."""
    rng = np.random.default_rng(seed)
    now, end, events = 0.0, 0.0, {-5.0: "x"}
    ingest_plays(home, "x", -5, created=0)
    build(home, at(now))
    history_before = history_as_known(home, end)
    for _ in range(4):
        now += float(rng.choice([0.3, 7, 26]))
        for moment in {float(rng.choice([*events, now - 0.2, now - 9])) for _ in range(3)}:
            events[moment] = str(rng.choice(["x", "y"]))
            ingest_plays(home, events[moment], moment, created=now)
        build(home, at(now - float(rng.choice([2, 20]))))
        assert history_as_known(home, end) == history_before
        now += 0.1
        build(home, at(now))
        end, history_before = now - 0.05, history_as_known(home, now - 0.05)
    fresh = Home(tmp_path_factory.mktemp("fresh") / "home")
    for moment, artist in events.items():
        ingest_plays(fresh, artist, moment, created=max(now, moment))
    build(fresh, at(now))
    for view in VIEWS:
        size = len(FEATURE_TABLES[view].join_keys)
        rows = {row[:size]: row for row in current_rows(home, view, now)}
        for row in current_rows(fresh, view, now):
            assert rows[row[:size]] == row, view


def test_a_clock_that_was_ahead_of_the_machines_is_forgotten(home: Home) -> None:
    with feature_tables.writing(home):
        feature_tables.created_time(home, datetime.now(UTC) + timedelta(days=400))
        assert feature_tables.created_time(home, at(2)) == at(2)
        assert feature_tables.created_time(home, at(1)) == at(2)
        assert feature_tables.created_time(home, at(3)) == at(3)
