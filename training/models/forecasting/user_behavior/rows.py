"""Spines, inputs and labels of listeners at origins."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.datasets.series import history, last_full_day

WINDOW = 28
_NUMBERS = (
    *(f"user_listening__{name}_{window}" for name in ("plays", "skip_rate") for window in ("1d", "7d", "28d")),
    "user_listening__distinct_tracks_28d",
    "user_listening__distinct_artists_28d",
    "user_listening__listening_ms_28d",
    "user_history__distinct_tracks",
)
VIEWS = {
    "user_listening": tuple(name.partition("__")[2] for name in _NUMBERS if name.startswith("user_listening__")),
    "user_history": tuple(name.partition("__")[2] for name in _NUMBERS if name.startswith("user_history__")),
    "user_profile": ("plan_free", "plan_premium", "plan_family", "age"),
}
"""Feature view → its input columns."""
PLANS = ("free", "premium", "family")
INPUTS = (
    *(f"plays_{day}d_ago" for day in range(1, 15)),
    "plays_week_1",
    "plays_week_2",
    "plays_week_3",
    "plays_week_4",
    "active_days_28d",
    "idle_days",
    "trend",
    "known_days",
    "weekday",
    *(name.partition("__")[2] for name in _NUMBERS),
    *(f"plan_{name}" for name in PLANS),
    "age",
)
"""Input columns, in order."""


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        active_days: number of days for which plays are forecast.
        churn_days: number of days without a play after which a listener has left.
        stride: days between origins.
        test: number of test origins, the newest ones.
        calibration: number of calibration origins before those.
        trees: number of trees of each model.
        learning_rate: shrinkage of each tree.
        leaves: number of leaves of a tree.
        least_rows: minimal number of rows in a leaf; 10 for small training sets.
        columns: share of the columns that each tree uses.
        seed: random seed of LightGBM.
    """

    active_days: int = 7
    churn_days: int = 14
    stride: int = 3
    test: int = 2
    calibration: int = 2
    trees: int = 150
    learning_rate: float = 0.05
    leaves: int = 15
    least_rows: int = 50
    columns: float = 0.7
    seed: int = 0

    @property
    def longest(self) -> int:
        """Days after an origin until all of its labels are known."""
        return max(self.churn_days, self.active_days)


@dataclass(frozen=True)
class Origins:
    """Origins in days before the end, the newest first.

    Attributes:
        test: origins of the test.
        calibration: origins for the calibration of intervals; their labels end before the first test origin.
        train: origins to train on.
    """

    test: list[int]
    calibration: list[int]
    train: list[int]

    @classmethod
    def of(cls, backs: list[int], settings: Settings) -> "Origins | None":
        """Splits origins by time, the newest as test; None if no origin is left to train on."""
        test = backs[: settings.test]
        before_test = [back for back in backs if back >= max(test, default=0) + settings.longest]
        calibration, train = before_test[: settings.calibration], before_test[settings.calibration :]
        return cls(test, calibration, train) if train else None

    @property
    def before_test(self) -> list[int]:
        """All origins before the test."""
        return [*self.calibration, *self.train]


@dataclass(frozen=True)
class Listeners:
    """Histories of all listeners.

    Attributes:
        ids: (n,) identifiers of the listeners.
        values: (n, t) plays a day, NaN before the first play.
        end: midnight after the last day.
    """

    ids: list[str]
    values: np.ndarray
    end: datetime

    @classmethod
    def load(cls, home: Home) -> "Listeners":
        """Pulls the histories through Feast; listeners with a gap are left out, who once withdrew their consent."""
        end = last_full_day(home)
        ids, values = history(home, "user_plays_v1", "user_listening__plays_1d", "user_id", end=end)
        is_known = np.isfinite(values)
        rows = np.flatnonzero((np.maximum.accumulate(is_known, axis=1) == is_known).all(axis=1))
        return cls([ids[row] for row in rows.tolist()], values[rows], end)

    def spine(self, backs: list[int]) -> pl.DataFrame:
        """Builds the spine: a row for every listener known at each origin, given in days before the end."""
        pieces = []
        for back in backs:
            stop = self.values.shape[1] - back
            rows = np.flatnonzero(np.isfinite(self.values[:, stop - 1]))
            pieces.append(
                pl.DataFrame(
                    {
                        "user_id": pl.Series([self.ids[row] for row in rows.tolist()], dtype=pl.String),
                        "row": rows,
                        "back": pl.repeat(back, len(rows), dtype=pl.Int64, eager=True),
                    }
                )
            )
        moment = pl.lit(self.end) - pl.duration(days=pl.col("back"))
        return pl.concat(pieces).with_columns(event_timestamp=moment.cast(pl.Datetime("us", "UTC")))

    def origins(self, settings: Settings) -> list[int]:
        """Returns the origins with known labels in days before the end, the newest first."""
        return list(range(settings.longest, self.values.shape[1] - 7, settings.stride))

    def matrix(self, rows: pl.DataFrame) -> np.ndarray:
        """Builds the inputs (m, len(INPUTS)) float32 from a pulled spine; NaN for missing values."""
        stop = self.values.shape[1] - rows["back"].to_numpy()
        padded = np.pad(self.values, ((0, 0), (WINDOW, 0)), constant_values=np.nan)
        days = padded[rows["row"].to_numpy()[:, None], stop[:, None] + WINDOW - 1 - np.arange(WINDOW)]  # newest first
        plays = np.nan_to_num(days)
        weeks = plays.reshape(len(plays), 4, 7).sum(axis=2)
        is_active = plays > 0
        idle_days = np.where(is_active.any(axis=1), is_active.argmax(axis=1), WINDOW)
        birth_year = rows["user_profile__birth_year"].cast(pl.Float64).to_numpy()
        columns = [
            *days[:, :14].T,
            *weeks.T,
            is_active.sum(axis=1),
            idle_days,
            np.log1p(weeks[:, 0]) - np.log1p(weeks[:, 1]),
            np.isfinite(days).sum(axis=1),
            rows["event_timestamp"].dt.weekday().to_numpy(),
            *(rows[name].cast(pl.Float64).to_numpy() for name in _NUMBERS),
            *((rows["user_profile__plan"] == plan).cast(pl.Float64).to_numpy() for plan in PLANS),
            rows["event_timestamp"].dt.year().to_numpy() - birth_year,
        ]
        return np.column_stack(columns).astype(np.float32)

    def ahead(self, rows: pl.DataFrame, days: int) -> np.ndarray:
        """Counts the plays in the ``days`` days after each origin, (m,)."""
        stop = self.values.shape[1] - rows["back"].to_numpy()
        totals = np.pad(np.nan_to_num(self.values).cumsum(axis=1), ((0, 0), (1, 0)))
        row = rows["row"].to_numpy()
        return totals[row, stop + days] - totals[row, stop]

    def left(self, rows: pl.DataFrame, settings: Settings) -> np.ndarray:
        """Labels churn: 1 without a play in the ``churn_days`` days after the origin, else 0, (m,)."""
        return (self.ahead(rows, settings.churn_days) == 0).astype(np.float64)
