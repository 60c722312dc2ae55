"""What would have come first without some plays, picks or parts: asked again without them, it does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inference import RecommendationEngine
from inference.recommend.counterfactual import MOST_ASKED
from inference.recommend.listener import Listener
from tests.inference.recommend.answers import track_ids


def weigh(engine: RecommendationEngine, patch: pytest.MonkeyPatch, model: str, **weights: float) -> None:
    """In the small world popularity and taste alone were best, so that plays and picks would change nothing."""
    patch.setitem(engine._ordering._weights, model, weights)


def test_without_the_picks_another_track_comes_first(
    engine: RecommendationEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picks are really left out of the request."""
    weigh(engine, monkeypatch, "cold_start", similar=0.8, content=0.2, popular=0.1)
    explained = 0
    for start in range(0, 60, 5):
        picks = engine.catalogue.track_ids[start : start + 4]
        answer = engine.recommend("somebody new", pick_tracks=picks, explain=True)
        reason = answer.counterfactual
        if reason is None or not reason.without_tracks:
            continue
        explained += 1
        assert reason.track_id == track_ids(answer)[0]
        kept = [pick for pick in picks if pick not in reason.without_tracks]
        others = engine.recommend("somebody new", pick_tracks=kept, exclude_tracks=reason.without_tracks)
        assert track_ids(others)[0] == reason.track_instead != reason.track_id
        assert "would have come first" in reason.text
        assert "your picks" in reason.text
    assert explained >= 4


def test_without_the_plays_another_track_comes_first(
    engine: RecommendationEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plays are really gone from what is looked up of the listener."""
    weigh(engine, monkeypatch, "collaborative", similar=0.9, taste=0.1)
    look_up, explained = RecommendationEngine._look_up, 0
    for number, strategy in ((number, strategy) for number in range(6) for strategy in ("collaborative", "real_time")):
        user = f"u{number:06}"
        reason = engine.recommend(user, strategy=strategy, explain=True).counterfactual  # type: ignore[arg-type]
        if reason is None or not reason.without_tracks:
            continue
        explained += 1

        def without(
            self: RecommendationEngine, *arguments: Any, removed: tuple[str, ...] = tuple(reason.without_tracks)
        ) -> Listener:
            listener = look_up(self, *arguments)
            history, session = (
                tuple(track for track in tracks if track not in removed)
                for tracks in (listener.history, listener.session)
            )
            return replace(listener, history=history, session=session, _places={})

        with monkeypatch.context() as patch:
            patch.setattr(RecommendationEngine, "_look_up", without)
            again = engine.recommend(user, strategy=strategy, exclude_tracks=reason.without_tracks)  # type: ignore[arg-type]
        assert track_ids(again)[0] == reason.track_instead != reason.track_id
        assert "your last plays" in reason.text
    assert explained >= 3


def test_without_a_part_of_the_score_another_track_comes_first(
    engine: RecommendationEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part is really taken out of the weights."""
    explained = 0
    for number in range(8):
        user, weights = f"u{number:06}", {"similar": 0.5, "taste": 0.5}
        weigh(engine, monkeypatch, "collaborative", **weights)
        reason = engine.recommend(user, strategy="collaborative", explain=True).counterfactual
        if reason is None or not reason.without_parts:
            continue
        explained += 1
        (part,) = reason.without_parts
        weigh(engine, monkeypatch, "collaborative", **{**weights, part: 0.0})
        again = engine.recommend(user, strategy="collaborative")
        assert track_ids(again)[0] == reason.track_instead_of_parts != reason.track_id
        assert f"without {part} in the score" in reason.text
    assert explained >= 3


def test_the_search_is_bounded(engine: RecommendationEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    find = engine._search.find

    def counted(*arguments: Any) -> Any:
        searched.append(1)
        return find(*arguments)

    monkeypatch.setattr(engine._search, "find", counted)
    engine.recommend("u000003")
    assert len(searched) == 1
    engine.recommend("u000003", explain=True)
    assert len(searched) <= 2 + MOST_ASKED


def test_what_knows_no_plays_has_no_reason(engine: RecommendationEngine) -> None:
    assert engine.recommend("u000003").counterfactual is None
    reason = engine.recommend("nobody", explain=True).counterfactual
    assert reason is None or reason.without_tracks == []
    assert engine.recommend("u000003", strategy="again", explain=True).counterfactual is None
    assert np.isfinite(engine.recommend("u000003", explain=True, count=1).items[0].propensity)
