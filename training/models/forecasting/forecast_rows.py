"""Forecasts written back as features: a row for each series, stamped with the origin."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from feature_repo import clock
from feature_repo.home import Home
from transforms import feature_tables
from transforms.batch import closings, versions
from transforms.raw.table import MICROSECONDS_UTC

QUANTILES = {0.025: "lower_95", 0.1: "lower_80", 0.5: "median", 0.9: "upper_80", 0.975: "upper_95"}
"""Level of the quantile → column."""


def write(
    home: Home,
    view: str,
    ids: Sequence[str],
    *,
    origin: datetime,
    step: timedelta,
    steps: Sequence[int],
    mean: np.ndarray,
    quantiles: Mapping[float, np.ndarray],
    model: str,
    chance: np.ndarray | None = None,
) -> int:
    """Writes the forecasts (n, h) of one origin; a second write for the same origin and model replaces them.

    The created time of the rows is now: a training set as known at the origin does not contain a forecast that was made
    later. A backfill of old origins therefore never leaks.

    Returns:
        Number of rows.
    """
    table = feature_tables.tables(home)[view]
    key = next(iter(table.join_keys))
    now = clock.now()
    moment = pl.Series([origin]).cast(MICROSECONDS_UTC)
    rows = pl.DataFrame(
        {
            key: pl.Series(list(ids), dtype=pl.String),
            "event_timestamp": pl.repeat(moment[0], len(ids), eager=True).cast(MICROSECONDS_UTC),
            "created_timestamp": pl.repeat(now, len(ids), eager=True).cast(MICROSECONDS_UTC),
            "origin": pl.repeat(moment.dt.timestamp("us")[0], len(ids), dtype=pl.Int64, eager=True),
            "step": pl.repeat(step // timedelta(microseconds=1), len(ids), dtype=pl.Int64, eager=True),
            "steps": pl.Series([list(steps)] * len(ids), dtype=pl.List(pl.Int64)),
            "mean": _lists(mean),
            **{column: _lists(quantiles.get(level)) for level, column in QUANTILES.items()},
            "chance": _lists(chance),
            "model": pl.repeat(model, len(ids), dtype=pl.String, eager=True),
        },
        schema_overrides={name: pl.List(pl.Float32) for name in ("chance", *QUANTILES.values())},
    )
    part = f"part-{int(moment.dt.timestamp('us')[0])}.parquet"
    with feature_tables.writing(home):
        date, inputs = str(origin.date()), f"{model} {origin.isoformat()} {now.isoformat()}"
        versions.replace(home, table, rows, date=date, part=part, inputs=inputs, now=now)
        closings.close(home, table, now, since=date)
    return rows.height


def _lists(values: np.ndarray | None) -> pl.Series | None:
    if values is None:
        return None
    return pl.Series(np.asarray(values, np.float32), dtype=pl.Array(pl.Float32, values.shape[1])).arr.to_list()
