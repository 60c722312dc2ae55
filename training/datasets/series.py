"""Histories of features: values of a view at every midnight, or every hour, since each key began.

A panel's value of a day is the feature at the midnight after it, including later corrections: tables that were built
after a late event have no older version of the row, so a pull "as known" at that time would give the row of another
day. For the last day before an origin a forecaster therefore sees a few more late events than were known that night.
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from feature_repo import clock
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.store import open_store
from training.datasets.history import kept_history
from training.datasets.point_in_time import all_keys, training_set
from training.datasets.view_rows import view_rows
from transforms.raw.read import scan

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def last_full_day(home: Home) -> datetime:
    """Returns the midnight after the last complete day: one with a play in its last hour or on the next day.

    Raises:
        StoreError: there are no plays.
    """
    newest = scan(home, "plays").select(pl.col("event_timestamp").max()).collect().item()
    if newest is None:
        raise StoreError(
            expected="plays",
            found="none",
            next_command="refrain simulate && refrain build",
        )
    end_of_data = min(newest.replace(minute=0, second=0, microsecond=0) + HOUR, clock.now())
    return end_of_data.replace(hour=0, minute=0, second=0, microsecond=0)


def history(
    home: Home,
    service: str,
    feature: str,
    key: str,
    *,
    end: datetime,
    every: timedelta = DAY,
    start: datetime | None = None,
) -> tuple[list[str], np.ndarray]:
    """Returns names (n,) and values (n, t) of all keys up to ``end``.

    A value is NaN before its key's first row, and 0 where the feature is missing.

    Args:
        home: the data folder.
        service: a feature service of one view.
        feature: column of the feature, as ``view__feature``.
        key: join key.
        end: the last moment, which is the end of the last step.
        every: length of a step.
        start: the first moment; the first row of all if None.
    """
    if start is None:
        name, store = feature.partition("__")[0], open_store(home)
        view = next(view for view in load_service(home, service).views if view.name == name)
        start = view_rows(home, store, view).select(pl.col("event_timestamp").min()).collect().item()
        history = kept_history(home, [name])
        if start is not None and history is not None:
            start = max(start, history.begins)
        start = end - ((end - start) // every) * every if start is not None else end
    spine = all_keys(service, start, end, every=every, home=home)
    pulled = training_set(service, spine, home=home)
    steps = (end - start) // every + 1
    names: dict[str, int] = {}
    pieces = []
    for batch in pulled.batches(1_000_000):
        if batch.height:
            keys = batch[key].to_list()
            row = np.fromiter((names.setdefault(name, len(names)) for name in keys), np.int64, len(keys))
            elapsed_us = (batch["event_timestamp"] - start).dt.total_microseconds().to_numpy()
            column = elapsed_us // (every // timedelta(microseconds=1))
            pieces.append((row, column, batch[feature].cast(pl.Float32).fill_null(0.0).to_numpy()))
    values = np.full((len(names), steps), np.nan, np.float32)
    for row, column, piece_values in pieces:
        values[row, column] = piece_values
    return list(names), values
