"""Is this listener about to leave? Asked every third midnight of everybody who played within four weeks."""

from datetime import timedelta

import polars as pl

from feature_repo.home import Home
from training.models.tabular import TabularModel
from transforms.raw.read import plays

GONE = timedelta(days=14)
"""Without any play, they have left."""
ACTIVE = timedelta(days=28)
EVERY = timedelta(days=3)


def rows(home: Home) -> pl.DataFrame:
    """Listener and midnight, and whether no play came in the two weeks from then on."""
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
    asked = midnights.alias("event_timestamp").to_frame()
    # the last day of each listener before a midnight, and when they came back
    pairs = asked.join_where(
        days, pl.col("day") < pl.col("event_timestamp"), pl.col("day") >= pl.col("event_timestamp") - ACTIVE
    )
    newest = pairs.sort("day").group_by("user_id", "event_timestamp", maintain_order=True).last()
    away = pl.col("next").is_null() | (pl.col("next") >= pl.col("event_timestamp") + GONE)
    return newest.select("user_id", "event_timestamp", label=away.cast(pl.Int8))


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
)
