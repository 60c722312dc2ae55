"""Predicts whether a listener is about to leave; one row per listener active within four weeks, each third midnight."""

from datetime import timedelta

import polars as pl

from feature_repo.home import Home
from training.models.behavior.profile import PROFILE
from training.models.tabular import TabularModel
from transforms.raw.read import plays

GONE = timedelta(days=14)
"""Time without any play after which a listener has left."""
ACTIVE = timedelta(days=28)
EVERY = timedelta(days=3)


def rows(home: Home) -> pl.DataFrame:
    """Return listener, midnight, and label: whether the listener plays nothing in the two weeks after."""
    days = (
        plays(home)
        .select("user_id", day=pl.col("event_timestamp").dt.truncate("1d"))
        .unique()
        .sort("user_id", "day")
        .with_columns(next=pl.col("day").shift(-1).over("user_id"))
        .collect()
    )
    first, last = days["day"].min(), days["day"].max()
    midnights = pl.datetime_range(first + EVERY, last - GONE + timedelta(days=1), EVERY, eager=True, time_unit="us")  # type: ignore[operator,call-overload]
    moments = midnights.alias("event_timestamp").to_frame()
    # the last day of each listener before a midnight, and when they came back
    pairs = moments.join_where(
        days, pl.col("day") < pl.col("event_timestamp"), pl.col("day") >= pl.col("event_timestamp") - ACTIVE
    )
    last_days = pairs.sort("day").group_by("user_id", "event_timestamp", maintain_order=True).last()
    has_left = pl.col("next").is_null() | (pl.col("next") >= pl.col("event_timestamp") + GONE)
    return last_days.select("user_id", "event_timestamp", label=has_left.cast(pl.Int8))


MODEL = TabularModel(
    name="churn_model",
    family="behavior",
    about="Whether a listener who played within four weeks plays nothing in the next two.",
    services=("user_behavior_v1",),
    raw=("plays",),
    rows=rows,
    kind="binary",
    cluster="user_id",
    horizon=GONE,
    segments=("user_profile__plan",),
    movable=("user_listening", "user_history"),
    bounds=PROFILE,
)
