"""What tests of recommendations read from answers and tables."""

import polars as pl

from feature_repo.home import Home
from inference import (
    ColdStartModel,
    CollaborativeFilteringModel,
    ContentBasedModel,
    HybridRecommendationModel,
    RealTimeRecommendationModel,
)
from inference.recommend.answer import Answer
from transforms import feature_tables

MODELS = (
    CollaborativeFilteringModel,
    ContentBasedModel,
    HybridRecommendationModel,
    RealTimeRecommendationModel,
    ColdStartModel,
)


def newest_rows(home: Home, view: str) -> pl.DataFrame:
    rows = feature_tables.scan(home, view).collect().sort("event_timestamp")
    return rows.unique(rows.columns[0], keep="last", maintain_order=True)


def heard_tracks(home: Home, user: str) -> set[str]:
    rows = newest_rows(home, "user_history")
    return set(rows.filter(rows["user_id"] == user)["track_ids"][-1])


def track_ids(answer: Answer) -> list[str]:
    return [item.track_id for item in answer.items]


def may_be_played(home: Home, track: str, user: str) -> bool:
    tracks, users = newest_rows(home, "track_catalogue"), newest_rows(home, "user_profile")
    track_row = tracks.row(by_predicate=pl.col("track_id") == track, named=True)
    country = users.filter(users["user_id"] == user)["country"][0]
    return bool(track_row["available"]) and (track_row["regions"] is None or country in track_row["regions"])
