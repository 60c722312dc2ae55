"""What was recommended, with which chance, and whether it was played: logged answers joined with plays."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.logged import lines
from transforms.raw.read import scan
from transforms.raw.table import MICROSECONDS_UTC

ATTRIBUTED = timedelta(hours=1)
"""A play counts for an impression if it starts within so much time after it."""


def impressions(home: Home, *, within: timedelta = ATTRIBUTED) -> pl.DataFrame:
    """One row per slot that was shown, in order of time.

    Args:
        home: the data folder.
        within: a play of the track by the listener so soon after, not broken off, is a reward.

    Returns:
        ``answer_id``, ``user_id``, ``track_id``, ``event_timestamp``, ``model``, ``strategy``, ``position`` (from 0),
        ``propensity``, ``explored``, ``reward`` (0 or 1).

    Raises:
        InputError: nothing was logged.
    """
    rows = list(_slots(home.impressions))
    if not rows:
        raise InputError(
            expected=f"logged answers in {home.impressions}",
            found="none",
            next_command="REFRAIN_LOG_IMPRESSIONS=1 python -m inference serve",
        )
    shown = pl.DataFrame(rows, orient="row").with_columns(pl.col("event_timestamp").cast(MICROSECONDS_UTC))
    shown = shown.sort("event_timestamp", "answer_id", "position").with_row_index("row")
    heard = (
        scan(home, "plays").filter(~pl.col("skipped").fill_null(False)).select("user_id", "track_id", "event_timestamp")
    )
    after = (
        shown.lazy()
        .join(heard, on=["user_id", "track_id"], suffix="_played")
        .filter((pl.col("event_timestamp_played") - pl.col("event_timestamp")).is_between(timedelta(0), within))
        .select("row")
        .unique()
        .collect()["row"]
    )
    return shown.with_columns(reward=pl.col("row").is_in(after.implode()).cast(pl.Float64)).drop("row")


def _slots(folder: Path) -> Iterator[dict[str, Any]]:
    for day in lines.days(folder):
        for told in lines.lines(day):
            for position, slot in enumerate(told["slots"]):
                yield {
                    "answer_id": told["answer_id"],
                    "user_id": told["user_id"],
                    "track_id": slot["track_id"],
                    "event_timestamp": told["at"],
                    "model": told["model"],
                    "strategy": told["strategy"],
                    "position": position,
                    "propensity": slot["propensity"],
                    "explored": slot["explored"],
                }
