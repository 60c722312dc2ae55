"""Windowed features equal a loop over all plays, at every midnight, also where no row was written."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from feature_repo.sources import WINDOW_DAYS
from tests.oracles import windows as oracle
from tests.oracles.point_in_time import as_of
from transforms.features.artist_popularity import artist_popularity
from transforms.features.platform_activity import platform_activity
from transforms.features.track_popularity import track_popularity
from transforms.features.user_artist_affinity import user_artist_affinity
from transforms.features.user_history import user_history
from transforms.features.user_listening import user_listening
from transforms.features.windows import change_days
from transforms.raw import TABLES

START = datetime(2025, 12, 20, tzinfo=UTC)
SECONDS = 45 * 86_400

VIEWS = {
    "user_listening": (
        user_listening,
        ["user_id"],
        ["plays", "listening_ms", "skip_rate", "distinct_tracks", "distinct_artists"],
    ),
    "track_popularity": (track_popularity, ["track_id"], ["plays", "listeners", "skip_rate"]),
    "artist_popularity": (artist_popularity, ["artist_id"], ["plays", "listeners", "skip_rate"]),
    "user_artist_affinity": (user_artist_affinity, ["user_id", "artist_id"], ["plays", "skip_rate"]),
}


@st.composite
def play_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Few users, tracks and artists over 45 days, so that windows fill, empty and fill again."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("uv"),
                st.sampled_from("xyz"),
                st.sampled_from(["a", "b", None]),
                st.one_of(st.integers(0, SECONDS), st.integers(0, 44).map(lambda day: day * 86_400)),
                st.one_of(st.none(), st.integers(0, 500_000)),
                st.one_of(st.none(), st.booleans()),
                st.sampled_from([0, 0, 0, 60, 3 * 86_400, 20 * 86_400]),
            ),
            min_size=1,
            max_size=40,
        )
    )
    plays = {}
    for user, track, artist, second, ms, skipped, late in rows:
        moment = START + timedelta(seconds=second)
        plays[user, track, moment] = {
            "user_id": user,
            "track_id": track,
            "artist_id": artist,
            "event_timestamp": moment,
            "created_timestamp": moment + timedelta(seconds=late),
            "ms_played": ms,
            "skipped": skipped,
        }
    return list(plays.values())


def frame(plays: list[dict[str, Any]]) -> pl.DataFrame:
    return TABLES["plays"].conform(pl.DataFrame(plays, schema_overrides=TABLES["plays"].columns, strict=False))


def midnights_of(plays: list[dict[str, Any]]) -> list[date]:
    return change_days({play["event_timestamp"].date() for play in plays})


@pytest.mark.parametrize("view", VIEWS)
@settings(max_examples=25, deadline=None)
@given(plays=play_lists())
def test_the_newest_row_is_the_window_at_every_midnight(view: str, plays: list[dict[str, Any]]) -> None:
    compute, keys, names = VIEWS[view]
    rows = compute(frame(plays), midnights_of(plays)).to_dicts()
    entities = {tuple(play[key] for key in keys) for play in plays}
    for entity in entities:
        key = dict(zip(keys, entity, strict=True))
        if None in entity:
            assert not any(all(row[name] == value for name, value in key.items()) for row in rows)
            continue
        for day in range(75):
            midnight = START + timedelta(days=day)
            row = as_of(rows, key, midnight)
            for window in WINDOW_DAYS:
                expected = oracle.counts(oracle.inside(plays, key, midnight, window))
                for name in names:
                    value = None if row is None else row[f"{name}_{window}d"]
                    if row is None:  # nothing was ever played
                        assert not expected["plays"]
                    elif name == "skip_rate" and value is not None:
                        assert value == pytest.approx(expected[name], abs=1e-12)
                    else:
                        assert value == expected[name], (midnight, window, name)


@settings(max_examples=25, deadline=None)
@given(plays=play_lists())
def test_a_row_is_known_when_its_last_event_is(plays: list[dict[str, Any]]) -> None:
    for row in user_listening(frame(plays), midnights_of(plays)).to_dicts():
        used = oracle.inside(plays, {"user_id": row["user_id"]}, row["event_timestamp"], max(WINDOW_DAYS))
        known = max([row["event_timestamp"], *(play["created_timestamp"] for play in used)])
        assert row["created_timestamp"] == known


@settings(max_examples=15, deadline=None)
@given(plays=play_lists())
def test_platform_activity_counts_everything(plays: list[dict[str, Any]]) -> None:
    for row in platform_activity(frame(plays), midnights_of(plays), "default").to_dicts():
        for window in WINDOW_DAYS:
            used = oracle.inside(plays, {}, row["event_timestamp"], window)
            assert row["platform_id"] == "default"
            assert row[f"plays_{window}d"] == len(used)
            assert row[f"listeners_{window}d"] == len({play["user_id"] for play in used})


@settings(max_examples=25, deadline=None)
@given(plays=play_lists())
def test_user_history_is_what_was_heard(plays: list[dict[str, Any]]) -> None:
    midnights = sorted({play["event_timestamp"].date() + timedelta(days=1) for play in plays})
    rows = user_history(frame(plays), midnights).to_dicts()
    for row in rows:
        tracks, number = oracle.history(plays, row["user_id"], row["event_timestamp"], most=1_000)
        assert (row["track_ids"], row["distinct_tracks"]) == (tracks, number)
    for user in {play["user_id"] for play in plays}:
        for day in range(60):
            midnight = START + timedelta(days=day)
            row = as_of(rows, {"user_id": user}, midnight)
            tracks, _ = oracle.history(plays, user, midnight, most=1_000)
            assert (row["track_ids"] if row else []) == tracks


def test_computing_in_two_pieces_gives_the_same_rows() -> None:
    plays = [
        {
            "user_id": f"u{number % 3}",
            "track_id": f"t{number % 7}",
            "artist_id": f"a{number % 2}",
            "event_timestamp": START + timedelta(hours=11 * number),
            "created_timestamp": START + timedelta(hours=11 * number),
            "ms_played": number,
            "skipped": number % 4 == 0,
        }
        for number in range(120)
    ]
    midnights = midnights_of(plays)
    whole = user_listening(frame(plays), midnights)
    pieces = []
    for part in (midnights[:20], midnights[20:45], midnights[45:]):
        reach = START.replace(tzinfo=UTC).date()
        first = part[0] - timedelta(days=max(WINDOW_DAYS) + 1)
        loaded = [p for p in plays if max(first, reach) <= p["event_timestamp"].date() < part[-1]]
        pieces.append(user_listening(frame(loaded), part))
    order = ["user_id", "event_timestamp"]
    assert pl.concat(pieces, how="diagonal").select(whole.columns).sort(order).equals(whole.sort(order))
