"""Listening behaviour of an account, for the detection of bots; a row after every play."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, Distinct, Rate, Sum, WindowedTable, column

PAID_MS, BARELY_MS = 30_000, 40_000
"""Minimum length of a paid play, and upper limit of a barely paid play, after which bots stop."""

user_behavior = WindowedTable(
    name="user_behavior",
    about="Plays, time listened (ms), barely paid plays, and how many tracks and devices, of one account",
    source=plays,
    keys=("user_id",),
    windows=("5m", "1h", "1d"),
    features={
        "plays": Count(),
        "listening_ms": Sum("ms_played", over=("1h", "1d")),
        "skip_rate": Rate("skipped", over=("1h", "1d")),
        "barely_paid_rate": Rate(where=(column("ms_played") >= PAID_MS) & (column("ms_played") < BARELY_MS)),
        "tracks": Distinct("track_id", over=("1h", "1d")),
        "devices": Distinct("device", over=("1h", "1d")),
    },
    every="event",
)
