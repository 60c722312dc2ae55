"""Activity of the whole service: the denominator of shares, and a basis for capacity planning."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, Distinct, WindowedTable

platform_activity = WindowedTable(
    name="platform_activity",
    about="Plays and distinct listeners of everything together",
    source=plays,
    keys=("platform_id",),
    windows=("1d", "7d", "28d"),
    features={
        "plays": Count(),
        "listeners": Distinct("user_id"),
    },
)
