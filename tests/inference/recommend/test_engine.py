"""The engine: personal for known listeners, an answer for everybody, and no track that was heard or is barred."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from feature_repo.errors import InputError, OnlineUnavailable, StoreError
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import Server
from feature_repo.stores import redis_server
from inference import (
    ColdStartModel,
    CollaborativeFilteringModel,
    ContentBasedModel,
    HybridRecommendationModel,
    RealTimeRecommendationModel,
    RecommendationEngine,
)
from inference.events import EventWriter
from inference.features import OnlineFeatures
from inference.features import lookup as lookup_module
from inference.features import prepared as prepared_module
from inference.recommend.answer import Answer
from inference.recommend.candidates import SOURCES_OF, Wanted
from inference.recommend.request import RequestOptions
from inference.recommend.rights import MAX_AGE_S
from tests.oracles.reasons import PlaysOracle
from training.registry import CHAMPION, versions
from transforms import feature_tables
from transforms.logged.impressions import impressions
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

MODELS = (
    CollaborativeFilteringModel,
    ContentBasedModel,
    HybridRecommendationModel,
    RealTimeRecommendationModel,
    ColdStartModel,
)


@pytest.fixture
def engine(in_world: Home) -> RecommendationEngine:
    return RecommendationEngine.load("recommendation", in_world)


def newest_rows(home: Home, view: str) -> pl.DataFrame:
    rows = feature_tables.scan(home, view).collect().sort("event_timestamp")
    return rows.unique(rows.columns[0], keep="last", maintain_order=True)


def heard_tracks(home: Home, user: str) -> set[str]:
    rows = newest_rows(home, "user_history")
    return set(rows.filter(rows["user_id"] == user)["track_ids"][-1])


def track_ids(answer: Answer) -> list[str]:
    return [item.track_id for item in answer.items]


def test_a_known_listener_gets_unheard_tracks_with_reasons(engine: RecommendationEngine, in_world: Home) -> None:
    answer = engine.recommend("u000007", {"device": "phone"}, count=20)
    assert (answer.known, answer.note, answer.strategy, len(answer.items)) == (True, None, "hybrid", 20)
    assert not set(track_ids(answer)) & heard_tracks(in_world, "u000007")
    assert len(set(track_ids(answer))) == 20
    scores = [item.score for item in answer.items]
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    assert all(item.reason and item.title and item.artist_name for item in answer.items)
    assert set(answer.features or {}) == {"listener_v1", "recommendation_v1"}
    assert {item.propensity for item in answer.items} == {1.0}


def test_two_listeners_get_different_tracks(engine: RecommendationEngine) -> None:
    first, second = (engine.recommend(user, count=10) for user in ("u000003", "u000007"))
    assert set(track_ids(first)) != set(track_ids(second))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("user", ["u000007", "nobody", "", "ü\n" * 40])
def test_every_model_answers_everybody(in_world: Home, model: type[RecommendationEngine], user: str) -> None:
    answer = model.load("recommendation", in_world).recommend(user, count=8)
    assert len(set(track_ids(answer))) == 8
    assert answer.strategy == model.STRATEGY
    assert answer.known == (user == "u000007")
    assert (answer.note is None) == answer.known
    if answer.known:
        assert not set(track_ids(answer)) & heard_tracks(in_world, user)


def test_the_models_disagree(in_world: Home) -> None:
    lists = [tuple(track_ids(model.load("recommendation", in_world).recommend("u000007"))) for model in MODELS]
    assert len(set(lists)) == len(MODELS)


def test_what_is_served_is_what_was_measured(in_world: Home, engine: RecommendationEngine) -> None:
    """The served collaborative and content models rank tracks as the vectors from training do."""
    unheard_tracks = set(engine.catalogue.track_ids) - heard_tracks(in_world, "u000007")
    for model, view in ((CollaborativeFilteringModel, "taste"), (ContentBasedModel, "content")):
        tracks, users = newest_rows(in_world, f"track_{view}"), newest_rows(in_world, f"user_{view}")
        user_vector = np.array(users.filter(users["user_id"] == "u000007")["vector"][0])
        scores = np.array(tracks["vector"].to_list()) @ user_vector
        order = [track for _, track in sorted(zip(-scores, tracks["track_id"], strict=True)) if track in unheard_tracks]
        engine_of_model = model.load("recommendation", in_world)
        engine_of_model._ordering._weights |= {"collaborative": {"taste": 1.0, "similar": 0.0}}
        allowed = [track for track in order if may_be_played(in_world, track, "u000007")]
        answer = engine_of_model.recommend("u000007", count=10, most_by_artist=10)
        expected = dict(zip(tracks["track_id"], scores, strict=True))
        np.testing.assert_allclose(
            [expected[track] for track in track_ids(answer)], [expected[track] for track in allowed[:10]], atol=1e-4
        )


def may_be_played(home: Home, track: str, user: str) -> bool:
    tracks, users = newest_rows(home, "track_catalogue"), newest_rows(home, "user_profile")
    track_row = tracks.row(by_predicate=pl.col("track_id") == track, named=True)
    country = users.filter(users["user_id"] == user)["country"][0]
    return bool(track_row["available"]) and (track_row["regions"] is None or country in track_row["regions"])


def test_a_stranger_gets_what_is_popular(engine: RecommendationEngine, in_world: Home) -> None:
    answer = engine.recommend("nobody", count=5)
    assert (answer.known, answer.strategy) == (False, "cold_start")
    assert "no taste is known" in str(answer.note)
    popularity = newest_rows(in_world, "track_popularity").sort("plays_28d", descending=True)
    assert set(track_ids(answer)[:2]) <= set(popularity["track_id"][:8])
    assert answer.items[0].reason == "number 1 of the last 28 days"


def test_a_country_alone_moves_what_a_stranger_gets(engine: RecommendationEngine) -> None:
    in_country = engine.recommend("nobody", count=30, country="JP")
    assert track_ids(in_country) != track_ids(engine.recommend("nobody", count=30))
    assert "played among listeners like you (JP)" in {item.reason for item in in_country.items}


def test_picks_move_what_a_stranger_gets(engine: RecommendationEngine) -> None:
    catalogue = engine.catalogue
    genre = catalogue.genres[0][0]
    by_genre = engine.recommend("nobody", count=10, pick_genres=[genre])
    without_picks = engine.recommend("nobody", count=10)

    def share(answer: Answer) -> float:
        return float(np.mean([genre in catalogue.genres[catalogue.place[track]] for track in track_ids(answer)]))

    assert share(by_genre) > share(without_picks)
    picked_tracks = [catalogue.track_ids[place] for place in catalogue.of_genres([genre])[:3]]
    by_tracks = engine.recommend("nobody", count=10, pick_tracks=picked_tracks)
    assert not set(track_ids(by_tracks)) & set(picked_tracks)
    assert any("which you picked" in item.reason for item in by_tracks.items)
    artist = next(artist for artist in catalogue.artist_ids if artist)
    assert track_ids(engine.recommend("nobody", count=10, pick_artists=[artist])) != track_ids(without_picks)
    assert len(track_ids(engine.recommend("nobody", count=10, pick_tracks=["never heard of"]))) == 10


def test_what_is_excluded_stays_out_and_the_list_stays_full(engine: RecommendationEngine) -> None:
    first = engine.recommend("u000007", count=10)
    tracks = track_ids(first)[:5]
    artists = {str(item.artist_id) for item in first.items[5:]}
    answer = engine.recommend("u000007", count=10, exclude_tracks=tracks, exclude_artists=artists)
    assert len(answer.items) == 10
    assert not set(track_ids(answer)) & set(tracks)
    assert not {item.artist_id for item in answer.items} & artists


def test_rights_are_kept(engine: RecommendationEngine, in_world: Home) -> None:
    rows = newest_rows(in_world, "track_catalogue")
    for country in ("JP", "SE", "nowhere"):
        barred_tracks = rows.filter(
            ~pl.col("available")
            | (pl.col("regions").is_not_null() & ~pl.col("regions").list.contains(country).fill_null(False))
        )
        assert barred_tracks.height > 3
        for user in ("u000007", "nobody"):
            answer = engine.recommend(user, count=500, country=country)
            assert not set(track_ids(answer)) & set(barred_tracks["track_id"])
    without_explicit = engine.recommend("u000007", count=500, explicit=False)
    assert not set(track_ids(without_explicit)) & set(rows.filter("explicit")["track_id"])
    assert len(without_explicit.items) > 100


def test_more_than_there_is_gives_what_there_is(engine: RecommendationEngine, in_world: Home) -> None:
    answer = engine.recommend("u000007", count=1_000)
    history = heard_tracks(in_world, "u000007")
    unheard_tracks = [track for track in engine.catalogue.track_ids if track not in history]
    assert set(track_ids(answer)) == {track for track in unheard_tracks if may_be_played(in_world, track, "u000007")}


@pytest.mark.parametrize("count", [0, -1, 1_001, 10_000])
def test_a_count_that_is_none_is_told(engine: RecommendationEngine, count: int) -> None:
    with pytest.raises(InputError, match=r"1 to 1,000 tracks; found .* next: recommend"):
        engine.recommend("u000007", count=count)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"diversity": 1.5}, "diversity from 0 to 1"),
        ({"explore": float("nan")}, "explore from 0 to 1"),
        ({"diversify": "magic"}, "diversify as 'mmr', 'calibrated' or None"),
        ({"most_by_artist": 0}, "most_by_artist of 1 or more"),
    ],
)
def test_a_wish_that_is_none_is_told(engine: RecommendationEngine, wish: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        engine.recommend("u000007", **wish)


def test_a_listener_who_has_heard_everything_is_told(engine: RecommendationEngine) -> None:
    all_tracks = engine.catalogue.track_ids
    for user in ("u000007", "nobody"):
        answer = engine.recommend(user, exclude_tracks=all_tracks)
        assert answer.items == []
        assert "every track was heard, excluded or may not be played" in str(answer.note)


def test_filters_that_contradict_each_other_leave_nothing(engine: RecommendationEngine) -> None:
    artists = {artist for artist in engine.catalogue.artist_ids if artist}
    answer = engine.recommend("nobody", pick_artists=artists, exclude_artists=artists)
    assert (answer.items, "nothing is left" in str(answer.note)) == ([], True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.sampled_from(["u000007", "u000050", "nobody", "\x00", "🎵"]),
    count=st.integers(1, 60),
    wishes=st.fixed_dictionaries(
        {},
        optional={
            "explicit": st.booleans(),
            "country": st.sampled_from(["SE", "JP", ""]),
            "pick_genres": st.lists(st.sampled_from(["pop", "jazz", "noise"]), max_size=3),
            "pick_tracks": st.lists(st.sampled_from(["t000001", "t000099", "?"]), max_size=3),
            "exclude_tracks": st.lists(st.sampled_from(["t000001", "t000002"]), max_size=2),
            "most_by_artist": st.integers(1, 5),
            "diversify": st.sampled_from(["mmr", "calibrated", None]),
            "diversity": st.floats(0, 1),
            "explore": st.floats(0, 1),
        },
    ),
)
def test_any_wish_is_answered(engine: RecommendationEngine, user: str, count: int, wishes: dict[str, Any]) -> None:
    answer = engine.recommend(user, count=count, **wishes)
    assert len(answer.items) == len(set(track_ids(answer))) == count
    assert not set(track_ids(answer)) & set(wishes.get("exclude_tracks", ()))
    assert all(0 < item.propensity <= 1 for item in answer.items)


def test_lists_can_be_made_less_alike(engine: RecommendationEngine) -> None:
    catalogue = engine.catalogue

    def similarity(answer: Answer) -> float:
        vectors = catalogue.vectors("content", catalogue.places(track_ids(answer)))
        return float((vectors @ vectors.T).sum())

    plain = engine.recommend("u000007", count=10, most_by_artist=10)
    diverse = engine.recommend("u000007", count=10, most_by_artist=10, diversify="mmr", diversity=0.8)
    assert similarity(diverse) < similarity(plain)
    stranger = engine.recommend("nobody", count=10)
    assert track_ids(engine.recommend("nobody", count=10, diversify="mmr", diversity=0.0)) == track_ids(stranger)
    one_each = engine.recommend("u000007", count=10, most_by_artist=1)
    assert len({item.artist_id for item in one_each.items}) == 10


def test_genres_can_be_as_the_listener_plays_them(engine: RecommendationEngine, in_world: Home) -> None:
    from inference.recommend.diversify import genre_shares

    catalogue = engine.catalogue
    listener_shares = genre_shares(
        [catalogue.genres[place] for place in catalogue.places(heard_tracks(in_world, "u000007"))]
    )

    def distance(answer: Answer) -> float:
        answer_shares = genre_shares([catalogue.genres[catalogue.place[track]] for track in track_ids(answer)])
        return sum(
            abs(listener_shares.get(genre, 0) - answer_shares.get(genre, 0))
            for genre in {*listener_shares, *answer_shares}
        )

    plain = engine.recommend("u000007", count=20, most_by_artist=20)
    calibrated = engine.recommend("u000007", count=20, most_by_artist=20, diversify="calibrated", diversity=0.95)
    assert distance(calibrated) < distance(plain)


def test_exploration_is_marked_and_its_chance_told(engine: RecommendationEngine) -> None:
    plain = engine.recommend("u000007", count=20)
    with_exploration = engine.recommend("u000007", count=20, explore=0.4, seed=5)
    explored_items = [item for item in with_exploration.items if item.explored]
    assert 2 <= len(explored_items) <= 16
    assert all(item.propensity < 0.4 for item in explored_items)
    assert all(item.propensity == pytest.approx(0.6) for item in with_exploration.items if not item.explored)
    assert not {item.track_id for item in explored_items} & set(track_ids(plain))
    assert track_ids(engine.recommend("u000007", count=20, explore=0.4, seed=5)) == track_ids(with_exploration)


def test_no_rows_are_no_error(in_world: Home) -> None:
    lookup = OnlineFeatures("recommendation_v1", in_world)
    keys = {"user_id": ["u000007"], "track_id": [], "artist_id": [], "platform_id": ["default"]}
    assert lookup.get(keys).matrix(["taste_match__score"]).shape == (0, 1)


def test_the_history_is_newest_first(engine: RecommendationEngine, in_world: Home) -> None:
    rows = newest_rows(in_world, "user_history")
    expected = rows.filter(rows["user_id"] == "u000007")["track_ids"][-1].to_list()[:6]
    assert [item.track_id for item in engine.history("u000007", 6)] == expected
    assert engine.history("nobody") == []


def test_vectors_of_another_fit_are_not_mixed(engine: RecommendationEngine) -> None:
    engine._fits = {kind: fit + 1 for kind, fit in engine._fits.items()}
    answer = engine.recommend("u000007", count=3)
    assert "refrain materialize" in str(answer.note)
    assert (answer.strategy, len(answer.items)) == ("real_time", 3)  # from the last plays, which are known


def test_a_model_that_is_old_says_so(engine: RecommendationEngine) -> None:
    engine._cutoff -= 40 * 86_400
    note = str(engine.recommend("u000007", count=3).note)
    assert "the model knows nothing of the last 40 days; run: refrain model run recommendation" in note


def test_the_answer_names_the_promoted_version(engine: RecommendationEngine, in_world: Home) -> None:
    champion = next(item for item in versions(in_world) if CHAMPION in item.aliases)
    assert engine.recommend("u000007").model == f"recommendation:{champion.version}"
    assert champion.metrics["test_ndcg_at_10_hybrid"] > champion.metrics["test_ndcg_at_10_popularity"]
    page = (in_world.bundles("recommendation") / str(champion.version) / "report.html").read_text()
    assert "At the cutoff" in page
    assert "Next in the session" in page
    assert page.count("<svg") >= 5


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


def test_what_was_shown_is_logged_and_joined_with_plays(own_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_LOG_IMPRESSIONS", "1")
    engine = RecommendationEngine.load("recommendation", own_world)
    answers = [engine.recommend(user, count=5, explore=0.5, seed=1) for user in ("u000007", "nobody")]
    assert engine._log is not None
    engine._log.flush()
    logged_impressions = impressions(own_world)
    assert logged_impressions.height == 10
    for answer in answers:
        logged_slots = logged_impressions.filter(logged_impressions["answer_id"] == answer.answer_id).sort("position")
        assert logged_slots["track_id"].to_list() == track_ids(answer)
        np.testing.assert_allclose(logged_slots["propensity"], [item.propensity for item in answer.items])
        assert logged_slots["explored"].to_list() == [item.explored for item in answer.items]
    assert logged_impressions["reward"].sum() == 0


def test_impressions_are_joined_with_plays_within_an_hour(home: Home) -> None:
    from transforms.raw.ingest import Batch, ingest

    with pytest.raises(InputError, match="REFRAIN_LOG_IMPRESSIONS=1 refrain serve"):
        impressions(home)
    answer_time = datetime(2026, 1, 5, 10, tzinfo=UTC)
    slots = [
        {"track_id": track, "score": 1.0, "source": "taste", "propensity": 0.9, "explored": False}
        for track in ("soon", "later", "skipped", "by another", "before")
    ]
    folder = home.impressions / "date=2026-01-05"
    folder.mkdir(parents=True)
    line = {
        "answer_id": "1",
        "at": round(answer_time.timestamp() * 1e6),
        "user_id": "u",
        "model": "m:1",
        "strategy": "hybrid",
    }
    (folder / "a.jsonl").write_text(json.dumps(line | {"slots": slots}) + "\n{torn")
    plays = pl.DataFrame(
        {
            "user_id": ["u", "u", "u", "v", "u"],
            "track_id": ["soon", "later", "skipped", "by another", "before"],
            "event_timestamp": [answer_time + timedelta(minutes=minutes) for minutes in (5, 61, 5, 5, -5)],
            "skipped": [False, False, True, False, False],
        }
    )
    ingest(home, "test", [Batch("plays", plays)])
    assert impressions(home)["reward"].to_list() == [1, 0, 0, 0, 0]


def test_redis_gone_in_the_middle_is_told_and_answered(
    engine: RecommendationEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*arguments: Any, **options: Any) -> Any:
        raise OnlineUnavailable(expected="the online store to answer", found="nothing", next_command="wait")

    for lookup, note in (
        (engine._ordering.rankers["hybrid"].features, "ordered without features"),
        (engine._rights.features, "rights are those of up to"),
        (engine._listener, "so that nothing is known"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(lookup, "get", unavailable)
            engine._rights.read_at -= MAX_AGE_S  # the rights are looked up again
            answer = engine.recommend("u000007", count=6)
            assert len(set(track_ids(answer))) == 6
            assert note in str(answer.note)
    with monkeypatch.context() as patch:
        patch.setattr(engine._explainer._display, "get", unavailable)
        answer = engine.recommend("u000007", count=3)
        assert [item.title for item in answer.items] == track_ids(answer)


def test_an_answer_takes_one_round_trip_for_the_listener_and_one_for_all_candidates(
    in_world: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rights, heard tracks and features are fetched together; where that fails, nothing is asked again."""
    engine = RecommendationEngine.load("recommendation", in_world)
    engine._rights.read_at -= MAX_AGE_S
    trips: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(server: Server, keys: Sequence[bytes]) -> Any:
            if keys:
                trips.append(name)
            return function(server, keys)

        return call

    def unavailable(server: Server, keys: Sequence[bytes]) -> Any:
        raise OnlineUnavailable(expected="the online store to answer", found="nothing", next_command="wait")

    monkeypatch.setattr(lookup_module, "get", counted("alone", lookup_module.get))
    monkeypatch.setattr(prepared_module, "get", counted("together", prepared_module.get))
    before = engine.recommend("u000007", count=6)
    assert trips == ["alone", "together", "alone"]  # the last one is of titles
    engine.recommend("u000007", count=6)
    assert trips[3:] == ["alone", "together"]  # titles are held
    trips.clear()
    assert engine._rights.refresh()
    engine._rights.read_at -= MAX_AGE_S
    monkeypatch.setattr(prepared_module, "get", counted("together", unavailable))
    answer = engine.recommend("u000007", count=6)
    assert [trip for trip in trips if trip == "together"] == ["together"]
    assert set(track_ids(answer)) <= set(engine.catalogue.track_ids)
    assert len(answer.items) == len(before.items)
    for part in ("rights are those of up to", "a known track may be among these", "ordered without features"):
        assert part in str(answer.note)


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


def test_a_track_without_a_vector_is_no_error(engine: RecommendationEngine) -> None:
    """The features of the vector are missing, and the model ranks the track by the other features."""
    ranker = engine._ordering.rankers["hybrid"]
    lookup: Callable[..., Any] = ranker.features.get
    nothing = np.empty(0, np.int64)
    listener = engine._look_up("u000007", {}, RequestOptions())
    pool = engine._search.find(listener, Wanted("hybrid", RequestOptions(), nothing, nothing, 10)).pool
    assert len(pool) > 10
    keys = {"user_id": ["u000007"], "track_id": ["new"], "artist_id": [None], "platform_id": ["default"]}
    matrix = lookup(keys, {"similar_score": [0.1], "follows_score": [0.0]}).matrix(
        engine._ordering.rankers["hybrid"]._inputs
    )
    assert np.isnan(matrix).any()
    assert np.isfinite(ranker._model.predict(matrix)).all()


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


def test_every_strategy_has_sources() -> None:
    assert {model.STRATEGY for model in MODELS} == set(SOURCES_OF)


@pytest.mark.parametrize("model", [RecommendationEngine, *MODELS], ids=lambda model: model.__name__)
def test_without_any_store_every_model_answers_after_one_question(
    in_world: Home, monkeypatch: pytest.MonkeyPatch, model: type[RecommendationEngine]
) -> None:
    engine = model.load("recommendation", in_world)
    assert engine._rights.refresh()
    services: list[str] = []

    def unavailable(self: OnlineFeatures, *arguments: Any, **options: Any) -> Any:
        services.append(self.service.name)
        raise OnlineUnavailable(expected="the online store to answer", found="nothing", next_command="wait")

    monkeypatch.setattr(OnlineFeatures, "get", unavailable)
    are_old = engine._rights.read_at.min() < time.monotonic() - MAX_AGE_S
    answer = engine.recommend("u000007", count=7)
    assert len(set(track_ids(answer))) == 7
    assert "the online store does not answer" in str(answer.note)
    assert "rights are those of up to" in str(answer.note) or not are_old
    assert services == ["listener_v1"]


def test_every_reason_is_true_of_the_raw_plays(engine: RecommendationEngine, in_world: Home) -> None:
    """Reasons of all listeners, and of strangers, against loops over the raw plays; none is of one kind alone."""
    oracle = PlaysOracle(in_world)
    kinds = set()
    for number in range(0, 150, 3):
        user = f"u{number:06d}"
        for options in ({}, {"strategy": "cold_start"}, {"explore": 0.5, "seed": number}, {"strategy": "again"}):
            for item in engine.recommend(user, count=12, **options).items:
                assert oracle.holds(user, item), (user, options, item)
                kinds.add(re.sub(r"\d+|u played .* times|and .*, which|followed .*, which", "", item.reason))
    for item in engine.recommend("nobody", count=40, country="JP").items:
        assert oracle.holds("nobody", item, "JP"), item
    assert len(kinds) >= 6


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
