"""What is usual at an hour of the week: the mean of that hour in the weeks before, and how much such hours differ."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.raw.table import MICROSECONDS_UTC

HOUR = 3_600_000_000
WEEKS = (168, 336, 504, 672)
DAYS = tuple(24 * day for day in range(1, 8))
"""Hours back."""
_FEWEST_WEEKS, _FEWEST_DAYS = 2, 2


def hour_of_week(hourly: pl.DataFrame, key: str, metrics: Sequence[str]) -> pl.DataFrame:
    """One row per entity and hour for which something is known, stamped at the hour's beginning.

    Args:
        hourly: ``key``, ``hour`` (microseconds, the beginning), ``created_timestamp`` (when all of it was known), and
            a mean of each metric; hours without events are absent.
        key: join key.
        metrics: names.

    Returns:
        ``<metric>_usual`` and ``<metric>_spread`` beside key and times; from hours before the row's alone. The same
        hour of the last four weeks, if at least two of them are known; else of the last seven days, if two are. The
        spread is the standard deviation within these, and of the hour before within its days, whichever is larger.
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
    known = np.zeros((len(names), hours), np.int64)
    known[entity, hour] = hourly["created_timestamp"].dt.timestamp("us").to_numpy()
    known = np.maximum.accumulate(known, axis=1)
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
    before = known[row, np.maximum(at - 1, 0)]
    return pl.DataFrame(
        {
            key: names.gather(row),
            "event_timestamp": pl.Series(stamp).cast(MICROSECONDS_UTC),
            "created_timestamp": pl.Series(np.maximum(stamp, before)).cast(MICROSECONDS_UTC),
            **columns,
        }
    )


def _usual(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Usual and spread (entities, hours, metrics) from hours before."""
    weeks, days = _moments(grid, WEEKS), _moments(grid, DAYS)
    enough_weeks, enough_days = weeks[0] >= _FEWEST_WEEKS, days[0] >= _FEWEST_DAYS
    usual = np.where(enough_weeks, weeks[1], np.where(enough_days, days[1], np.nan))
    spread = np.where(enough_weeks, np.maximum(weeks[2], np.where(enough_days, days[2], 0)), days[2])
    return usual, np.where(np.isfinite(usual), spread, np.nan)


def _moments(grid: np.ndarray, back: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many of the hours so far back are known, their mean, and their standard deviation."""
    count, total, squares = np.zeros(grid.shape), np.zeros(grid.shape), np.zeros(grid.shape)
    middle = np.nanmean(grid, axis=1, keepdims=True)
    for hours in back:
        if hours < grid.shape[1]:
            then = grid[:, :-hours] - middle
            there = np.isfinite(then)
            count[:, hours:] += there
            total[:, hours:] += np.where(there, then, 0)
            squares[:, hours:] += np.where(there, then, 0) ** 2
    some = np.maximum(count, 1)
    mean = total / some
    return count, middle + mean, np.sqrt(np.maximum(squares / some - mean**2, 0))
