"""Series with a common step and a common end, as one matrix."""

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
        ids: (n,) names of the series.
        values: (n, t) float64, the newest last; NaN before a series began, nowhere else.
        seasons: lengths of the seasons in steps, shortest first, such as (24, 168); empty for none.
        end: end of the last step, the origin of a forecast.
        step: length of a step.
        nonnegative: whether values and forecasts are never below 0, as of counts.
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
        """Builds a panel from a table with a row for each series and step.

        Args:
            rows: table of values. Identical rows count once; a missing value is a gap.
            key: column with the name of the series.
            time: column with the start of the step (UTC).
            value: column with the value.
            step: length of a step; all times must be whole steps apart.
            seasons: lengths of the seasons in steps.
            end: end of the last step; that of the newest row if None. Series that stopped earlier have a gap there.
            gaps: meaning of a step without a row: a value of 0 (``zero``), or a missing value (``interpolate``).
            nonnegative: whether negative values are refused.

        Raises:
            InputError: rows contradict each other, times do not fit the step, or values are infinite or negative.
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
        off_grid = table.filter((pl.col("time") - last) % width != 0)
        if off_grid.height:
            raise InputError(
                expected=f"times that are whole steps of {step} apart",
                found=f"{off_grid.height:,} that do not, such as {off_grid['id'][0]!r} at {_iso(off_grid['time'][0])}",
                next_command="bring all series to one step first, such as with group_by_dynamic",
            )
        table = table.filter(pl.col("time") <= last)
        names, row = np.unique(table["id"].to_numpy().astype(str), return_inverse=True)
        column = ((table["time"].to_numpy() - last) // width).astype(np.int64)
        length = int(-column.min(initial=0)) + 1
        values = np.full((len(names), length), np.nan)
        observed = table["value"].to_numpy()
        values[row, column + length - 1] = observed
        first_step = np.full(len(names), length)
        finite = np.isfinite(observed)
        np.minimum.at(first_step, row[finite], column[finite] + length - 1)
        begun = np.arange(length) >= first_step[:, None]
        missing = begun & np.isnan(values)
        values[missing] = 0.0 if gaps == "zero" else _interpolate(values)[missing]
        return cls(names.tolist(), values, tuple(seasons), _moment(last + width), step, nonnegative)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def steps(self) -> int:
        """The number of steps of the longest series."""
        return self.values.shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """(n,) number of steps since each series began."""
        return np.isfinite(self.values).sum(axis=1)

    @property
    def season(self) -> int:
        """The shortest season, 1 without any."""
        return self.seasons[0] if self.seasons else 1

    def back(self, steps: int) -> "Panel":
        """Returns the panel as of ``steps`` steps before its end."""
        remaining = max(self.steps - steps, 0)
        return replace(self, values=self.values[:, :remaining], end=self.end - steps * self.step)

    def truth(self, steps: int, horizon: int) -> np.ndarray:
        """Returns the values after ``back(steps)``, (n, horizon); NaN where they are unknown."""
        start = self.steps - steps
        future = self.values[:, max(start, 0) : start + horizon]
        return np.pad(future, ((0, 0), (0, horizon - future.shape[1])), constant_values=np.nan)

    def take(self, chosen: np.ndarray) -> "Panel":
        """Selects series by a mask or by numbers."""
        numbers = np.arange(len(self))[chosen]
        return replace(self, ids=[self.ids[number] for number in numbers.tolist()], values=self.values[numbers])

    def bounded(self, forecast: np.ndarray) -> np.ndarray:
        """Clips a forecast at 0 if values are never negative."""
        return np.maximum(forecast, 0.0) if self.nonnegative else forecast


def _check(table: pl.DataFrame, nonnegative: bool) -> None:
    if table["id"].null_count() or table["time"].null_count():
        raise InputError(
            expected="a series and a time in every row",
            found=f"{table.filter(pl.any_horizontal(pl.col('id', 'time').is_null())).height:,} rows without",
            next_command="drop these rows",
        )
    duplicates = table.group_by("id", "time").len().filter(pl.col("len") > 1).sort("id", "time")
    if duplicates.height:
        raise InputError(
            expected="one value for each series and step",
            found=f"{duplicates.height:,} steps with several, such as {duplicates['id'][0]!r} "
            f"at {_iso(duplicates['time'][0])}",
            next_command="add them up, or keep the newest",
        )
    invalid = table.filter(pl.col("value").is_infinite() | ((pl.col("value") < 0) if nonnegative else pl.lit(False)))
    if invalid.height:
        raise InputError(
            expected="finite values" + (", none below 0" if nonnegative else ""),
            found=f"{invalid['value'][0]} in {invalid['id'][0]!r} at {_iso(invalid['time'][0])}",
            next_command="correct or drop these rows" + ("; or nonnegative=False" if nonnegative else ""),
        )


def _interpolate(values: np.ndarray) -> np.ndarray:
    """Fills gaps by linear interpolation; the last value is carried forward."""
    filled = values.copy()
    positions = np.arange(values.shape[1])
    for row in filled:
        finite = np.isfinite(row)
        if finite.any() and not finite.all():
            row[~finite] = np.interp(positions[~finite], positions[finite], row[finite])
    return filled


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _iso(micros: int) -> str:
    return _moment(micros).isoformat()
