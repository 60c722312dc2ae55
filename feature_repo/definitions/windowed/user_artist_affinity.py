"""Affinity of a listener to an artist."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, Rate, WindowedTable

user_artist_affinity = WindowedTable(
    name="user_artist_affinity",
    about="Plays and share skipped of one listener with one artist",
    source=plays,
    keys=("user_id", "artist_id"),
    windows=("1d", "7d", "28d"),
    features={
        "plays": Count(),
        "skip_rate": Rate("skipped"),
    },
)
