"""Recommendations that were shown: logged, and joined with the plays that follow."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference import RecommendationEngine
from tests.inference.recommend.answers import track_ids
from transforms.logged.impressions import impressions


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
