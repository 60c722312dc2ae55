"""Plays of the last minutes: they change the next answer, and are left out of it."""

import json
from datetime import UTC, datetime, timedelta

from feature_repo.home import Home
from feature_repo.packed.address import Address
from inference import RecommendationEngine
from inference.events import EventWriter
from inference.recommend.request import RequestOptions
from tests.inference.recommend.answers import track_ids
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream


def test_the_last_plays_change_the_next_answer(own_world: Home, running_clock: None) -> None:
    """After events arrive in the stream, the same engine answers differently without any training."""
    engine = RecommendationEngine.load("recommendation", own_world)
    before = engine.recommend("u000007", count=10)
    assert before.strategy == "hybrid"
    played_tracks = track_ids(before)[:2]
    now = datetime.now(UTC)
    events = [
        {
            "user_id": "u000007",
            "track_id": track,
            "artist_id": engine.catalogue.artist_ids[engine.catalogue.place[track]],
            "event_timestamp": (now - timedelta(seconds=90 - number)).isoformat(),
            "ms_played": 1_000,
        }
        for number, track in enumerate(played_tracks)
    ]
    EventWriter(own_world).write(json.dumps({"kind": "plays", "events": events}).encode())
    Reader(own_world, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()
    after = engine.recommend("u000007", count=10)
    assert after.strategy == "real_time"
    assert not set(track_ids(after)) & set(played_tracks)
    assert track_ids(after) != track_ids(before)
    events_of_new_user = [event | {"user_id": "somebody new"} for event in events]
    EventWriter(own_world).write(json.dumps({"kind": "plays", "events": events_of_new_user}).encode())
    Reader(own_world, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()
    answer_of_new_user = engine.recommend("somebody new", count=10)
    assert (answer_of_new_user.known, answer_of_new_user.strategy) == (True, "real_time")
    assert any("which you" in item.reason for item in answer_of_new_user.items)


def test_a_day_of_plays_is_left_out_whole(own_world: Home, running_clock: None) -> None:
    """Forty plays of today, of which the session lists twenty and the history none."""
    engine = RecommendationEngine.load("recommendation", own_world)
    played = track_ids(engine.recommend("u000007", count=40))
    now = datetime.now(UTC)
    events = [
        {
            "user_id": "u000007",
            "track_id": track,
            "event_timestamp": (now - timedelta(seconds=300 - number)).isoformat(),
            "ms_played": 1_000,
        }
        for number, track in enumerate(played)
    ]
    EventWriter(own_world).write(json.dumps({"kind": "plays", "events": events}).encode())
    Reader(own_world, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()
    assert len(engine._look_up("u000007", {}, RequestOptions()).session) == 20
    answer = engine.recommend("u000007", count=100)
    assert len(answer.items) > 50
    assert not set(track_ids(answer)) & set(played)
