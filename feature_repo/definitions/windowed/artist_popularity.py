"""Popularity of an artist: plays, listeners and skip rate."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, Distinct, Rate, WindowedTable

artist_popularity = WindowedTable(
    name="artist_popularity",
    about="Plays, distinct listeners and share skipped of one artist",
    source=plays,
    keys=("artist_id",),
    windows=("1d", "7d", "28d"),
    features={
        "plays": Count(),
        "listeners": Distinct("user_id"),
        "skip_rate": Rate("skipped"),
    },
)
