"""Hourly load of the whole service, for capacity planning."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, Distinct, WindowedTable

platform_load = WindowedTable(
    name="platform_load",
    about="Plays and distinct listeners of everything together in the hour before",
    source=plays,
    keys=("platform_id",),
    windows=("1h",),
    features={
        "plays": Count(),
        "listeners": Distinct("user_id"),
    },
    every="1h",
)
