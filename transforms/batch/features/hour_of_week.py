"""Baselines by hour of the week: the median of that hour in the weeks before, and the spread of those hours."""

import warnings
from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.raw.table import MICROSECONDS_UTC

HOUR = 3_600_000_000
WEEKS = (168, 336, 504, 672)
DAYS = tuple(24 * day for day in range(1, 8))
"""Hours of comparison, as numbers of hours back."""
_FEWEST_WEEKS, _FEWEST_DAYS = 2, 2


def hour_of_week(hourly: pl.DataFrame, key: str, metrics: Sequence[str]) -> pl.DataFrame:
    """Computes one row for each entity and hour that has a baseline, stamped at the hour's start.

    Args:
        hourly: ``key``, ``hour`` (its start, microseconds), ``created_timestamp`` (when all its events were known), and
            the mean of each metric; hours without events are absent.
        key: join key.
        metrics: names of the metrics.

    Returns:
        Key, times, ``<metric>_usual`` and ``<metric>_spread``, computed from earlier hours alone: from the same hour of
        the last four weeks if at least two of them have values, otherwise of the last seven days if two have. The
        spread is that of these hours, or that of the last seven days if it is larger.
    """
    if hourly.is_empty():
        empty = {f"{metric}_{what}": pl.Float64 for metric in metrics for what in ("usual", "spread")}
        times = dict.fromkeys(("event_timestamp", "created_timestamp"), MICROSECONDS_UTC)
        return pl.DataFrame(schema={key: pl.String, **times, **empty})
    names = hourly[key].unique().sort()
    first = int(hourly["hour"].min()) // HOUR  # type: ignore[arg-type]
    hours = int(hourly["hour"].max()) // HOUR - first + 2  # type: ignore[arg-type]
    entity = hourly[key].cast(pl.Enum(names)).to_physical().to_numpy()
    hour = hourly["hour"].to_numpy() // HOUR - first
    created = np.zeros((len(names), hours), np.int64)
    created[entity, hour] = hourly["created_timestamp"].dt.timestamp("us").to_numpy()
    created = np.maximum.accumulate(created, axis=1)
    grid = np.full((len(names), hours, len(metrics)), np.nan)
    grid[entity, hour] = hourly.select(metrics).to_numpy()
    usual, spread = _usual(grid)
    row, at = np.nonzero(np.isfinite(usual).any(axis=2))
    stamp = (at + first) * HOUR
    columns = {
        f"{metric}_{what}": pl.Series(values[row, at, number]).fill_nan(None)
        for number, metric in enumerate(metrics)
        for what, values in (("usual", usual), ("spread", spread))
    }
    created_before = created[row, np.maximum(at - 1, 0)]
    return pl.DataFrame(
        {
            key: names.gather(row),
            "event_timestamp": pl.Series(stamp).cast(MICROSECONDS_UTC),
            "created_timestamp": pl.Series(np.maximum(stamp, created_before)).cast(MICROSECONDS_UTC),
            **columns,
        }
    )


def _usual(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and spread (entities, hours, metrics) of earlier hours."""
    weeks, days = _robust_statistics(grid, WEEKS), _robust_statistics(grid, DAYS)
    has_weeks = weeks[0] >= _FEWEST_WEEKS
    usual = np.where(has_weeks, weeks[1], np.where(days[0] >= _FEWEST_DAYS, days[1], np.nan))
    spread = np.where(has_weeks, np.fmax(weeks[2], days[2]), days[2])
    return usual, np.where(np.isfinite(usual), spread, np.nan)


def _robust_statistics(grid: np.ndarray, back: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number, median and spread of the hours that lie ``back`` hours before each hour and have values.

    The spread is the median absolute deviation, scaled to the standard deviation of a normal distribution, so that one
    incident last week changes neither median nor spread.
    """
    earlier = np.full((len(back), *grid.shape), np.nan)
    for row, hours in enumerate(back):
        if hours < grid.shape[1]:
            earlier[row, :, hours:] = grid[:, :-hours]
    count = np.isfinite(earlier).sum(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # hours without any value
        median = np.nanmedian(earlier, axis=0)
        deviation = np.nanmedian(np.abs(earlier - median), axis=0)
    return count, median, 1.4826 * deviation
