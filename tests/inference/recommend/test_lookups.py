"""Lookups of an answer: none, wrong ones, and an online store that is gone, killed or away."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from feature_repo.errors import InputError, OnlineUnavailable, StoreError
from feature_repo.home import Home
from feature_repo.packed.server import Server
from feature_repo.stores import redis_server
from inference import RecommendationEngine
from inference.features import OnlineFeatures
from inference.features import lookup as lookup_module
from inference.features import prepared as prepared_module
from inference.recommend.rights import MAX_AGE_S
from tests.inference.recommend.answers import MODELS, track_ids


def test_no_rows_are_no_error(in_world: Home) -> None:
    lookup = OnlineFeatures("recommendation_v1", in_world)
    keys = {"user_id": ["u000007"], "track_id": [], "artist_id": [], "platform_id": ["default"]}
    assert lookup.get(keys).matrix(["taste_match__score"]).shape == (0, 1)


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
        patch.setattr(engine._explainer.titles.features, "get", unavailable)
        patch.setattr(engine._explainer.titles, "_kept", {})
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
