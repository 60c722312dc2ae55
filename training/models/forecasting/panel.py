"""Series of one step that end together, as one matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import polars as pl

from feature_repo.errors import InputError

Gaps = Literal["zero", "interpolate"]


@dataclass(frozen=True)
class Panel:
    """n series over t steps.

    Attributes:
        ids: (n,) names.
        values: (n, t) float64, the newest last; NaN before a series began, nowhere else.
        seasons: lengths of the seasons in steps, shortest first, such as (24, 168); empty for none.
        end: the moment at which the last step ended: the origin of a forecast.
        step: of time.
        nonnegative: counts and the like, of which forecasts are never below 0.
    """

    ids: list[str]
    values: np.ndarray
    seasons: tuple[int, ...] = ()
    end: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    step: timedelta = timedelta(days=1)
    nonnegative: bool = True

    @classmethod
    def of(
        cls,
        rows: pl.DataFrame,
        *,
        key: str = "id",
        time: str = "time",
        value: str = "value",
        step: timedelta,
        seasons: Sequence[int] = (),
        end: datetime | None = None,
        gaps: Gaps = "zero",
        nonnegative: bool = True,
    ) -> "Panel":
        """From a table with a row for each series and beginning of a step.

        Args:
            rows: the table. The same row twice counts once; a missing value is a gap.
            key: column of the series' name.
            time: column of the moment at which a step begins (UTC).
            value: column of what was measured.
            step: of time; every time must lie a whole number of steps from the others.
            seasons: in steps.
            end: the end of the last step; that of the newest row if None. Series that stopped before have a gap there.
            gaps: what a step without a row means: nothing happened (counts), or it was not measured.
            nonnegative: refuse negative values.

        Raises:
            InputError: rows contradict each other, times do not fit the step, values are infinite, or negative counts.
        """
        moment = pl.col(time).str.to_datetime(time_zone="UTC", strict=False)
        if rows.schema[time] != pl.String:
            moment = pl.col(time).cast(pl.Datetime("us", "UTC"), strict=False)
        table = rows.select(
            pl.col(key).cast(pl.String).alias("id"),
            moment.dt.timestamp("us").alias("time"),
            pl.col(value).cast(pl.Float64).alias("value"),
        ).unique()
        _check(table, nonnegative)
        width = step // timedelta(microseconds=1)
        if not table.height:
            return cls([], np.zeros((0, 0)), tuple(seasons), end or cls.end, step, nonnegative)
        last = _micros(end) - width if end is not None else int(table["time"].max())  # type: ignore[arg-type]
        off = table.filter((pl.col("time") - last) % width != 0)
        if off.height:
            raise InputError(
                expected=f"times that lie whole steps of {step} apart",
                found=f"{off.height:,} that do not, such as {off['id'][0]!r} at {_iso(off['time'][0])}",
                next_command="bring all series to one step first, such as with group_by_dynamic",
            )
        table = table.filter(pl.col("time") <= last)
        names, row = np.unique(table["id"].to_numpy().astype(str), return_inverse=True)
        column = ((table["time"].to_numpy() - last) // width).astype(np.int64)
        length = int(-column.min(initial=0)) + 1
        values = np.full((len(names), length), np.nan)
        told = table["value"].to_numpy()
        values[row, column + length - 1] = told
        first = np.full(len(names), length)
        known = np.isfinite(told)
        np.minimum.at(first, row[known], column[known] + length - 1)
        inside = np.arange(length) >= first[:, None]
        missing = inside & np.isnan(values)
        values[missing] = 0.0 if gaps == "zero" else _interpolated(values)[missing]
        return cls(names.tolist(), values, tuple(seasons), _moment(last + width), step, nonnegative)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def steps(self) -> int:
        """Of the longest series."""
        return self.values.shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """(n,) steps since each series began."""
        return np.isfinite(self.values).sum(axis=1)

    @property
    def season(self) -> int:
        """The shortest season, 1 without any."""
        return self.seasons[0] if self.seasons else 1

    def back(self, steps: int) -> "Panel":
        """As it was so many steps before the end."""
        kept = max(self.steps - steps, 0)
        return replace(self, values=self.values[:, :kept], end=self.end - steps * self.step)

    def truth(self, steps: int, horizon: int) -> np.ndarray:
        """(n, horizon) what came after ``back(steps)``, NaN where it is not known."""
        start = self.steps - steps
        known = self.values[:, max(start, 0) : start + horizon]
        return np.pad(known, ((0, 0), (0, horizon - known.shape[1])), constant_values=np.nan)

    def take(self, chosen: np.ndarray) -> "Panel":
        """Some of the series, by a mask or by numbers."""
        numbers = np.arange(len(self))[chosen]
        return replace(self, ids=[self.ids[number] for number in numbers.tolist()], values=self.values[numbers])

    def bounded(self, forecast: np.ndarray) -> np.ndarray:
        """The forecast, not below 0 where that cannot be."""
        return np.maximum(forecast, 0.0) if self.nonnegative else forecast


def _check(table: pl.DataFrame, nonnegative: bool) -> None:
    if table["id"].null_count() or table["time"].null_count():
        raise InputError(
            expected="a series and a time in every row",
            found=f"{table.filter(pl.any_horizontal(pl.col('id', 'time').is_null())).height:,} rows without",
            next_command="drop these rows",
        )
    twice = table.group_by("id", "time").len().filter(pl.col("len") > 1).sort("id", "time")
    if twice.height:
        raise InputError(
            expected="one value for each series and step",
            found=f"{twice.height:,} steps with several, such as {twice['id'][0]!r} at {_iso(twice['time'][0])}",
            next_command="add them up, or keep the newest",
        )
    wrong = table.filter(pl.col("value").is_infinite() | ((pl.col("value") < 0) if nonnegative else pl.lit(False)))
    if wrong.height:
        raise InputError(
            expected="finite values" + (", none below 0" if nonnegative else ""),
            found=f"{wrong['value'][0]} in {wrong['id'][0]!r} at {_iso(wrong['time'][0])}",
            next_command="mend or drop these rows" + ("; or nonnegative=False" if nonnegative else ""),
        )


def _interpolated(values: np.ndarray) -> np.ndarray:
    """Gaps on a straight line between their neighbours; the last value goes on."""
    filled = values.copy()
    places = np.arange(values.shape[1])
    for row in filled:
        known = np.isfinite(row)
        if known.any() and not known.all():
            row[~known] = np.interp(places[~known], places[known], row[known])
    return filled


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _iso(micros: int) -> str:
    return _moment(micros).isoformat()
