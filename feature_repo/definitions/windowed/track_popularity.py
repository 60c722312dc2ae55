"""Popularity of a track: plays, listeners and skip rate."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, Distinct, Rate, WindowedTable

track_popularity = WindowedTable(
    name="track_popularity",
    about="Plays, distinct listeners and share skipped of one track",
    source=plays,
    keys=("track_id",),
    windows=("1d", "7d", "28d"),
    features={
        "plays": Count(),
        "listeners": Distinct("user_id"),
        "skip_rate": Rate("skipped"),
    },
)
