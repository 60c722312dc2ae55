"""Recommended tracks with their propensity, and whether they were played: logged answers joined with plays."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.logged import lines
from transforms.raw.read import scan
from transforms.raw.table import MICROSECONDS_UTC

ATTRIBUTED = timedelta(hours=1)
"""Longest time from an impression to the start of a play that counts for it."""


def impressions(home: Home, *, within: timedelta = ATTRIBUTED) -> pl.DataFrame:
    """One row per slot that was shown, in order of time.

    Args:
        home: the data folder.
        within: longest time to a play of the track by the listener that counts as a reward; skipped plays do not count.

    Returns:
        ``answer_id``, ``user_id``, ``track_id``, ``event_timestamp``, ``model``, ``strategy``, ``position`` (from 0),
        ``propensity``, ``explored``, ``reward`` (0 or 1).

    Raises:
        InputError: no answers were logged.
    """
    rows = list(_slots(home))
    if not rows:
        raise InputError(
            expected=f"logged answers in {home.impressions}",
            found="none",
            next_command="REFRAIN_LOG_IMPRESSIONS=1 refrain serve",
        )
    slots = pl.DataFrame(rows, orient="row").with_columns(pl.col("event_timestamp").cast(MICROSECONDS_UTC))
    slots = slots.sort("event_timestamp", "answer_id", "position").with_row_index("row")
    completed_plays = (
        scan(home, "plays").filter(~pl.col("skipped").fill_null(False)).select("user_id", "track_id", "event_timestamp")
    )
    rewarded_rows = (
        slots.lazy()
        .join(completed_plays, on=["user_id", "track_id"], suffix="_played")
        .filter((pl.col("event_timestamp_played") - pl.col("event_timestamp")).is_between(timedelta(0), within))
        .select("row")
        .unique()
        .collect()["row"]
    )
    return slots.with_columns(reward=pl.col("row").is_in(rewarded_rows.implode()).cast(pl.Float64)).drop("row")


def _slots(home: Home) -> Iterator[dict[str, Any]]:
    for day in lines.days(home.impressions):
        for answer in lines.lines(day, home):
            for position, slot in enumerate(answer["slots"]):
                yield {
                    "answer_id": answer["answer_id"],
                    "user_id": answer["user_id"],
                    "track_id": slot["track_id"],
                    "event_timestamp": answer["at"],
                    "model": answer["model"],
                    "strategy": answer["strategy"],
                    "position": position,
                    "propensity": slot["propensity"],
                    "explored": slot["explored"],
                }
