"""Places on charts under attack: the past places and dates of titles are wrong, or missing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from training.datasets import training_set
from training.datasets.chart_weeks import spine
from training.models.forecasting.chart_forecaster import AHEAD, NAME, SERVICE, YEAR, load_charts
from training.models.forecasting.chart_runs import ChartRuns, charting, matrix
from training.robustness.subject import Request, Subject
from training.robustness.subjects.rows import spreads
from training.robustness.target import Target

AHEAD_ASKED = AHEAD[0]
YEARS = 4
"""Years of origins to learn from."""


def targets(request: Request) -> Sequence[Target[Any]]:
    """Learns from the weeks before the last year of each chart, and asks about the titles on the chart in that year.

    Raises:
        InputError: there are too few weeks.
        StoreError: there are no charts.
    """
    return [_target(request, name, grid) for name, grid in load_charts(request.home).items()]


def _target(request: Request, name: str, grid: Any) -> Target[np.ndarray]:
    weeks = grid.places.shape[1]
    test = weeks - YEAR if weeks > 3 * YEAR else weeks - weeks // 4
    oldest = max(weeks - YEARS * YEAR, 0)
    rows = training_set(SERVICE, spine(grid, [*range(oldest, weeks, 2)], AHEAD), home=request.home).data
    model = ChartRuns(grid.size, trees=100, ahead=(AHEAD_ASKED,)).fit(rows, test - 1)
    known = pl.col(f"rank_{AHEAD_ASKED}w").is_not_null() & (pl.col("rank") > 0)
    tested = rows.filter((pl.col("week") >= test) & known)
    if tested.is_empty():
        raise InputError(
            expected=f"titles on the chart {name} whose later place is known",
            found="none",
            next_command="refrain import billboard PATH  (more weeks)",
        )
    rank = tested[f"rank_{AHEAD_ASKED}w"].to_numpy()
    place = np.where(rank > 0, rank, grid.size + 1)
    on_chart = charting(tested)
    inputs = matrix(tested, AHEAD_ASKED, grid.size)
    low, high, scale = spreads(matrix(rows.filter(pl.col("week") < test), AHEAD_ASKED, grid.size))

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        answers = model.places[AHEAD_ASKED].predict(np.asarray(changed, np.float32), on_chart[units]).quantile(0.5)
        return -np.abs(answers - place[units])

    return Target(
        "rows",
        inputs,
        margins,
        "places_off",
        graded=True,
        higher_is_better=False,
        clusters=tested["track_id"].to_numpy(),
        judged="Held out by time: learned before the last year, asked about the place a week later.",
        part=name,
        extra={"scale": scale, "movable": np.ones(inputs.shape[1], bool), "grids": (), "low": low, "high": high},
    )


SUBJECT = Subject(NAME, ("rows",), targets)
