"""The engine: personal for known listeners, an answer of every model for everybody, as it was trained."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feature_repo.bundle import CHAMPION
from feature_repo.home import Home
from inference import CollaborativeFilteringModel, ContentBasedModel, RecommendationEngine
from inference.recommend.candidates import SOURCES_OF, Wanted
from inference.recommend.request import RequestOptions
from tests.inference.recommend.answers import MODELS, heard_tracks, may_be_played, newest_rows, track_ids
from tests.oracles.reasons import PlaysOracle
from training.registry import versions


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


def test_more_than_there_is_gives_what_there_is(engine: RecommendationEngine, in_world: Home) -> None:
    answer = engine.recommend("u000007", count=1_000)
    history = heard_tracks(in_world, "u000007")
    unheard_tracks = [track for track in engine.catalogue.track_ids if track not in history]
    assert set(track_ids(answer)) == {track for track in unheard_tracks if may_be_played(in_world, track, "u000007")}


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


def test_a_track_without_a_vector_is_no_error(engine: RecommendationEngine) -> None:
    """The features of the vector are missing, and the model ranks the track by the other features."""
    ranker = engine._ordering.rankers["hybrid"]
    lookup: Callable[..., Any] = ranker.features.get
    nothing = np.empty(0, np.int64)
    listener = engine._look_up("u000007", {}, RequestOptions())
    pool = engine._search.find(listener, Wanted("hybrid", RequestOptions(), nothing, nothing, 10)).pool
    assert len(pool) > 10
    keys = {"user_id": ["u000007"], "track_id": ["new"], "artist_id": [None], "platform_id": ["default"]}
    matrix = lookup(keys, {"similar_score": [0.1], "follows_score": [0.0]}).matrix(ranker._inputs)
    assert np.isnan(matrix).any()
    assert np.isfinite(ranker._model.predict(matrix)).all()


def test_every_strategy_has_sources() -> None:
    assert {model.STRATEGY for model in MODELS} == set(SOURCES_OF)


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
