"""Models of runs on weekly charts: the place of a title in 1, 4 and 13 weeks, and the chance that it returns.

The inputs are features of ``chart_run_v1`` as of the origin, and the season of the target week.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from training.models.forecasting.place_distribution import PlaceDistribution, Places
from transforms.batch.features.track_chart import AHEAD, WEEKS

SERVICE = "chart_run_v1"
CALIBRATION = 52
"""Number of weeks of origins for the calibration of the intervals."""
_WEEK = 7 * 86_400_000_000
_LONG_AGO = 520.0

INPUTS = (
    *(f"score_{back}w_ago" for back in range(WEEKS - 1, -1, -1)),
    "charting",
    "change_1w",
    "change_4w",
    "mean_4w",
    "charting_13w",
    "peak",
    "weeks",
    "runs",
    "weeks_since_first",
    "weeks_since_last",
    "weeks_since_peak",
    "year_ago",
    "singles",
    "best_single",
    "albums",
    "best_album",
    "titles",
    "season_sine",
    "season_cosine",
    "weeks_to_christmas",
)
"""Input columns, in order."""


def matrix(rows: pl.DataFrame, ahead: int, size: int) -> np.ndarray:
    """Builds the inputs (n, len(INPUTS)) float32 from a training set of ``SERVICE``; NaN for missing values.

    Args:
        rows: training set.
        ahead: number of weeks to forecast.
        size: number of places of the chart.
    """
    values = {name: rows[f"track_chart__{name}"].cast(pl.Float64).to_numpy() for name in _NUMBERS}
    places = rows["track_chart__ranks_13w"].list.to_array(WEEKS).to_numpy()
    scores = score(places, size)
    origin = rows["event_timestamp"].dt.timestamp("us").to_numpy() - 86_400_000_000
    weeks_since = {name: np.minimum((origin - values[name]) / _WEEK, _LONG_AGO) for name in _DATES}
    # weeks since a title was last on the chart have score 0, also where no row was written for them
    weeks_off = np.rint(weeks_since["last_charted"]).astype(int)
    scores = np.where(
        (weeks_off > 0)[:, None] & (np.arange(WEEKS) >= WEEKS - np.minimum(weeks_off, WEEKS)[:, None]), 0.0, scores
    )
    current_score = scores[:, -1]
    day = rows["event_timestamp"].dt.offset_by(f"{ahead}w").dt.ordinal_day().to_numpy()
    angle = 2 * np.pi * day / 365.25
    artist = {name: rows[f"artist_chart__{name}"].cast(pl.Float64).to_numpy() for name in _ARTIST}
    with np.errstate(invalid="ignore"):
        columns = [
            *scores.T,
            (weeks_off == 0).astype(float),
            current_score - scores[:, -2],
            current_score - scores[:, -5],
            scores[:, -4:].mean(axis=1),
            (scores > 0).sum(axis=1),
            score(values["peak"], size),
            values["weeks"],
            values["runs"],
            weeks_since["first_charted"],
            weeks_since["last_charted"],
            weeks_since["peaked"],
            score(values[f"year_ago_{ahead}w"], size),
            *artist.values(),
            np.sin(angle),
            np.cos(angle),
            (359 - day) / 7,
        ]
    return np.column_stack(columns).astype(np.float32)


_DATES = ("first_charted", "last_charted", "peaked")
_NUMBERS = ("peak", "weeks", "runs", *_DATES, *(f"year_ago_{ahead}w" for ahead in AHEAD))
_ARTIST = ("singles", "best_single", "albums", "best_album", "titles")


def score(places: np.ndarray, size: int) -> np.ndarray:
    """Scores places: 1 for the first, falling to 1/size for the last, 0 off the chart, NaN for a missing chart."""
    return np.where(places > 0, 1 - (np.minimum(places, size) - 1) / size, np.where(places < 0, np.nan, 0.0))


@dataclass
class ChartRuns:
    """A model of one chart.

    Attributes:
        size: number of places of the chart.
        trees: number of trees of each booster.
        ahead: horizons in weeks.
        places: horizon in weeks → fitted distribution of places.
    """

    size: int
    trees: int = 200
    ahead: tuple[int, ...] = AHEAD
    places: dict[int, PlaceDistribution] = field(default_factory=dict)

    def fit(self, rows: pl.DataFrame, until: int) -> "ChartRuns":
        """Learns from pulled spines of ``training.datasets.chart_weeks``, with labels up to a week.

        The boosters learn from the older origins. Errors are calibrated on the origins of the last ``CALIBRATION``
        weeks (a third of all if there are fewer), which are later than all labels of the boosters.

        Args:
            rows: training set; labels after ``until`` are not used.
            until: number of a week in the grid of the chart.

        Raises:
            InputError: there are too few titles with a known label.
        """
        for ahead in self.ahead:
            labelled = rows.filter(pl.col(f"rank_{ahead}w").is_not_null() & (pl.col("week") + ahead <= until))
            first, last = (int(labelled["week"].min() or 0), until - ahead)  # type: ignore[arg-type]
            calibration_start = last - min(CALIBRATION, max((last - first) // 3, 1))
            model = PlaceDistribution(self.size, trees=self.trees)
            model.fit(*self._rows(labelled.filter(pl.col("week") + ahead <= calibration_start), ahead)[:2])
            self.places[ahead] = model.calibrate(
                *self._rows(labelled.filter(pl.col("week") > calibration_start), ahead)
            )
        return self

    def predict(self, rows: pl.DataFrame, ahead: int) -> Places:
        """Predicts the distributions of places for rows of a pulled spine."""
        return self.places[ahead].predict(matrix(rows, ahead, self.size), charting(rows))

    def _rows(self, rows: pl.DataFrame, ahead: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rank = rows[f"rank_{ahead}w"].to_numpy()
        if (rank > 0).sum() < 20:
            raise InputError(
                expected=f"titles whose place {ahead} weeks later is known",
                found=f"{int((rank > 0).sum())} among {rows.height:,} rows",
                next_command="refrain import billboard PATH  (more weeks)",
            )
        return matrix(rows, ahead, self.size), rank, charting(rows)


def charting(rows: pl.DataFrame) -> np.ndarray:
    """(n,) True where a title is on the chart at its origin."""
    return (rows["rank"] > 0).to_numpy()
