"""Runs on weekly charts: where a title will be in 1, 4 and 13 weeks, and whether one that left comes back.

The inputs are features of ``chart_run_v1`` as of the origin, and the season of the week that is asked for.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from training.models.forecasting.place_distribution import PlaceDistribution, Places
from transforms.batch.features.track_chart import AHEAD, WEEKS

SERVICE = "chart_run_v1"
CALIBRATION = 52
"""Weeks of origins that the intervals are learned from."""
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
"""Columns of a row, in order."""


def matrix(rows: pl.DataFrame, ahead: int, size: int) -> np.ndarray:
    """(n, len(INPUTS)) float32 from a training set of ``SERVICE``; NaN for what is not known.

    Args:
        rows: the set.
        ahead: weeks.
        size: places of the chart.
    """
    get = {name: rows[f"track_chart__{name}"].cast(pl.Float64).to_numpy() for name in _NUMBERS}
    places = rows["track_chart__ranks_13w"].list.to_array(WEEKS).to_numpy()
    scores = score(places, size)
    origin = rows["event_timestamp"].dt.timestamp("us").to_numpy() - 86_400_000_000
    since = {name: np.minimum((origin - get[name]) / _WEEK, _LONG_AGO) for name in _DATES}
    # places slide on where no row was written since a chart
    idle = np.rint(since["last_charted"]).astype(int)
    scores = np.where((idle > 0)[:, None] & (np.arange(WEEKS) >= WEEKS - np.minimum(idle, WEEKS)[:, None]), 0.0, scores)
    now = scores[:, -1]
    day = rows["event_timestamp"].dt.offset_by(f"{ahead}w").dt.ordinal_day().to_numpy()
    angle = 2 * np.pi * day / 365.25
    artist = {name: rows[f"artist_chart__{name}"].cast(pl.Float64).to_numpy() for name in _ARTIST}
    with np.errstate(invalid="ignore"):
        columns = [
            *scores.T,
            (idle == 0).astype(float),
            now - scores[:, -2],
            now - scores[:, -5],
            scores[:, -4:].mean(axis=1),
            (scores > 0).sum(axis=1),
            score(get["peak"], size),
            get["weeks"],
            get["runs"],
            since["first_charted"],
            since["last_charted"],
            since["peaked"],
            score(get[f"year_ago_{ahead}w"], size),
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
    """1 for the first place, falling to 1/size for the last, 0 for off, NaN for a missing chart."""
    return np.where(places > 0, 1 - (np.minimum(places, size) - 1) / size, np.where(places < 0, np.nan, 0.0))


@dataclass
class ChartRuns:
    """A model of one chart.

    Attributes:
        size: places.
        trees: of each of its models.
        ahead: weeks.
        places: weeks ahead → the model, once fitted.
    """

    size: int
    trees: int = 200
    ahead: tuple[int, ...] = AHEAD
    places: dict[int, PlaceDistribution] = field(default_factory=dict)

    def fit(self, rows: pl.DataFrame, until: int) -> "ChartRuns":
        """Learn from pulled spines of ``training.datasets.chart_weeks`` what was known in a week.

        The models learn from the older origins; how far off they are is learned from those of the last
        ``CALIBRATION`` weeks (a third of all if there are fewer), which lie after everything the models knew.

        Args:
            rows: the set; of futures after ``until`` nothing is used.
            until: number of a week of the chart's grid.

        Raises:
            InputError: there are too few titles with a known future.
        """
        for ahead in self.ahead:
            known = rows.filter(pl.col(f"rank_{ahead}w").is_not_null() & (pl.col("week") + ahead <= until))
            first, last = (int(known["week"].min() or 0), until - ahead)  # type: ignore[arg-type]
            start = last - min(CALIBRATION, max((last - first) // 3, 1))
            model = PlaceDistribution(self.size, trees=self.trees)
            model.fit(*self._rows(known.filter(pl.col("week") + ahead <= start), ahead)[:2])
            self.places[ahead] = model.calibrate(*self._rows(known.filter(pl.col("week") > start), ahead))
        return self

    def predict(self, rows: pl.DataFrame, ahead: int) -> Places:
        """The distributions for rows of a pulled spine."""
        return self.places[ahead].predict(matrix(rows, ahead, self.size), charting(rows))

    def _rows(self, rows: pl.DataFrame, ahead: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rank = rows[f"rank_{ahead}w"].to_numpy()
        if (rank > 0).sum() < 20:
            raise InputError(
                expected=f"titles whose place {ahead} weeks later is known",
                found=f"{int((rank > 0).sum())} among {rows.height:,} rows",
                next_command="python -m transforms import billboard PATH  (more weeks)",
            )
        return matrix(rows, ahead, self.size), rank, charting(rows)


def charting(rows: pl.DataFrame) -> np.ndarray:
    """(n,) whether a title is on the chart at its origin."""
    return (rows["rank"] > 0).to_numpy()
