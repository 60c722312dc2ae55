"""The engine: personal for those it knows, popular for the rest, never what was heard."""

import os
import signal
import time

import numpy as np
import pytest

from feature_repo.errors import InputError, OnlineUnavailable, StoreError
from feature_repo.home import Home
from feature_repo.stores import redis_server
from inference import RecommendationEngine
from inference.features import OnlineFeatures, vector_column
from inference.recommend.reasons import most_alike, reason
from training.registry import CHAMPION, versions
from transforms import feature_tables


@pytest.fixture
def engine(in_world: Home) -> RecommendationEngine:
    return RecommendationEngine.load("recommendation", in_world)


def heard_by(home: Home, user: str) -> set[str]:
    rows = feature_tables.scan(home, "user_history").collect().sort("event_timestamp")
    return set(rows.filter(rows["user_id"] == user)["track_ids"][-1])


def test_a_known_listener_gets_unheard_tracks_with_reasons(engine: RecommendationEngine, in_world: Home) -> None:
    answer = engine.recommend("u000007", {"device": "phone"}, count=20)
    assert (answer.known, answer.note, len(answer.items)) == (True, None, 20)
    assert not {item.track_id for item in answer.items} & heard_by(in_world, "u000007")
    assert len({item.track_id for item in answer.items}) == 20
    scores = [item.score for item in answer.items]
    assert scores == sorted(scores, reverse=True)
    assert all(item.reason and item.title and item.artist_name for item in answer.items)


def test_two_listeners_get_different_tracks(engine: RecommendationEngine) -> None:
    one, other = (engine.recommend(user, count=10) for user in ("u000003", "u000007"))
    assert {item.track_id for item in one.items} != {item.track_id for item in other.items}


def test_a_stranger_gets_what_is_popular(engine: RecommendationEngine, in_world: Home) -> None:
    answer = engine.recommend("nobody", count=5)
    assert not answer.known
    assert "no taste is known" in str(answer.note)
    rows = feature_tables.scan(in_world, "track_popularity").collect().sort("event_timestamp")
    newest = rows.group_by("track_id", maintain_order=True).last().sort("plays_28d", descending=True)
    assert {answer.items[n].track_id for n in range(2)} <= set(newest["track_id"][:8])
    assert [item.reason for item in answer.items][:2] == [
        "number 1 of the last 28 days",
        "number 2 of the last 28 days",
    ]


def test_what_is_excluded_stays_out_and_the_list_stays_full(engine: RecommendationEngine) -> None:
    first = engine.recommend("u000007", count=10)
    tracks = [item.track_id for item in first.items[:5]]
    artists = {str(item.artist_id) for item in first.items[5:]}
    answer = engine.recommend("u000007", count=10, exclude_tracks=tracks, exclude_artists=artists)
    assert len(answer.items) == 10
    assert not {item.track_id for item in answer.items} & set(tracks)
    assert not {item.artist_id for item in answer.items} & artists


def test_more_than_there_is_gives_what_there_is(engine: RecommendationEngine, in_world: Home) -> None:
    answer = engine.recommend("u000007", count=500)
    known = len(engine._retriever.track_ids)
    assert len(answer.items) == known - len(heard_by(in_world, "u000007") & set(engine._retriever.track_ids))


def test_a_listener_who_has_heard_everything_is_told(engine: RecommendationEngine) -> None:
    everything = engine._retriever.track_ids
    for user in ("u000007", "nobody"):
        answer = engine.recommend(user, exclude_tracks=everything)
        assert answer.items == []
        assert "every track was heard or excluded" in str(answer.note)


def test_no_rows_are_no_error(in_world: Home) -> None:
    lookup = OnlineFeatures("recommendation_v1", in_world)
    keys = {"user_id": ["u000007"], "track_id": [], "artist_id": [], "platform_id": ["default"]}
    assert lookup.get(keys).matrix(["taste_match__score"]).shape == (0, 1)


def test_the_history_is_newest_first(engine: RecommendationEngine, in_world: Home) -> None:
    rows = feature_tables.scan(in_world, "user_history").collect().sort("event_timestamp")
    expected = rows.filter(rows["user_id"] == "u000007")["track_ids"][-1].to_list()[:6]
    assert [item.track_id for item in engine.history("u000007", 6)] == expected
    assert engine.history("nobody") == []


def test_vectors_of_another_fit_are_not_mixed(engine: RecommendationEngine) -> None:
    engine._fit += 1
    answer = engine.recommend("u000007", count=3)
    assert not answer.known
    assert "python -m feature_repo materialize" in str(answer.note)


def test_the_answer_names_the_promoted_version(engine: RecommendationEngine, in_world: Home) -> None:
    champion = next(item for item in versions(in_world) if CHAMPION in item.aliases)
    assert engine.recommend("u000007").model == f"recommendation:{champion.version}"
    assert champion.metrics["test_ndcg_at_10_hybrid"] > champion.metrics["test_ndcg_at_10_popularity"]


def test_a_killed_redis_is_started_again_in_the_middle(own_world: Home) -> None:
    lookup = OnlineFeatures("listener_v1", own_world)
    client = redis_server.ensure(own_world)
    client.config_set("appendfsync", "always")
    before = lookup.get({"user_id": ["u000007"]})
    os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
    while redis_server.running(own_world):
        time.sleep(0.01)
    after = lookup.get({"user_id": ["u000007"]})
    for name in ("user_history__track_ids", "user_profile__country", "user_taste__fit"):
        assert after.values[name] == before.values[name] != [None]


def test_a_redis_that_stays_away_is_told(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_REDIS", "127.0.0.1:1")
    with pytest.raises(OnlineUnavailable, match="the online store to answer; found Error 111.*next: "):
        OnlineFeatures("listener_v1", in_world).get({"user_id": ["u"]})


def test_wrong_keys_are_told(in_world: Home) -> None:
    lookup = OnlineFeatures("recommendation_v1", in_world)
    with pytest.raises(InputError, match=r"no \['artist_id', 'platform_id', 'track_id'\]"):
        lookup.get({"user_id": ["u"]})
    with pytest.raises(InputError, match=r"lengths \[2, 3\]"):
        lookup.get({"user_id": ["u"] * 2, "track_id": ["t"] * 3, "artist_id": ["a"], "platform_id": ["default"]})
    with pytest.raises(StoreError, match="a feature service, one of"):
        OnlineFeatures("nothing", in_world)
    rows = lookup.get({"user_id": ["u"], "track_id": ["t"], "artist_id": ["a"], "platform_id": ["default"]})
    with pytest.raises(InputError, match="numeric features of the service"):
        rows.matrix(["nothing__there"])


def test_columns_mark_what_is_missing() -> None:
    vectors = [None, np.array([1, 2], np.float32), np.array([3], np.float32)]
    np.testing.assert_array_equal(vector_column(vectors), [[np.nan] * 2, [1, 2], [np.nan] * 2])
    assert vector_column([None]).shape == (1, 0)


def test_reasons_say_the_strongest_ground() -> None:
    ground = {
        "source": "taste",
        "artist_name": "A",
        "artist_plays": 3,
        "similarity": 0.9,
        "similar_title": "S",
        "popular_rank": 4,
    }
    assert reason(**ground) == "you played A 3 times in the last 28 days"
    assert reason(**{**ground, "artist_plays": None}) == "listeners of S, which you played, play it too"
    assert reason(**{**ground, "artist_plays": 1, "similarity": 0.1}) == "listeners with your taste play it"
    assert reason(**{**ground, "artist_plays": 0, "source": "popular"}) == "number 4 of the last 28 days"
    places, cosine = most_alike(np.array([[2.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert (places[0], cosine[0]) == (1, 1)
