"""Panels from rows, and forecasts of difficult series."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from feature_repo.errors import InputError
from training.evaluate import mase_scale
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.global_lightgbm import GLOBAL_CHANGE, GLOBAL_LOG_CHANGE, GlobalLightGBM
from training.models.forecasting.naive import LastValue, Naive2, RecentMean, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.statistical import CES, ETS, INTERMITTENT, MSTL, THETA

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
FORECASTERS = [
    LastValue(),
    SeasonalNaive(),
    SeasonalMean(),
    RecentMean(),
    Naive2(),
    GlobalLightGBM(trees=20),
    GlobalLightGBM(trees=20, difference=True, floor=0.5, name="difference"),
    replace(GLOBAL_CHANGE, trees=20),
    replace(GLOBAL_LOG_CHANGE, trees=20),
    THETA,
    CES,
    ETS,
    MSTL,
    INTERMITTENT,
]


def rows(*values: tuple[str, int, float | None]) -> pl.DataFrame:
    records = [(name, START + day * DAY, value) for name, day, value in values]
    return pl.DataFrame(
        records, schema={"id": pl.String, "time": pl.Datetime("us", "UTC"), "value": pl.Float64}, orient="row"
    )


def difficult_panel(steps: int = 40) -> Panel:
    """Returns one series of each difficult kind, and six ordinary ones."""
    rng = np.random.default_rng(5)
    weekly = 20 + 10 * np.sin(np.arange(steps) * 2 * np.pi / 7)
    series: dict[str, np.ndarray] = {
        "none": np.full(steps, np.nan),
        "one": np.r_[np.full(steps - 1, np.nan), 5.0],
        "two": np.r_[np.full(steps - 2, np.nan), 5.0, 7.0],
        "constant": np.full(steps, 4.0),
        "zero": np.zeros(steps),
        "once": np.eye(1, steps, steps // 2)[0],
        "shift": np.r_[np.full(steps // 2, 3.0), np.full(steps - steps // 2, 3_000.0)],
        "huge": 1e12 * (1 + rng.random(steps)),
        "tiny": 1e-9 * (1 + rng.random(steps)),
        **{f"weekly{number}": weekly + rng.normal(0, 1, steps) for number in range(6)},
    }
    return Panel(list(series), np.stack(list(series.values())), (7,), START + steps * DAY)


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda forecaster: forecaster.name)
@pytest.mark.parametrize("horizon", [1, 10, 100])
def test_every_series_gets_a_finite_forecast(forecaster: Any, horizon: int) -> None:
    panel = difficult_panel()
    values_before = panel.values.copy()
    forecast = forecaster.fit(panel, horizon).forecast(panel, horizon)
    assert forecast.shape == (len(panel), horizon)
    assert np.isfinite(forecast).all()
    assert (forecast >= 0).all()
    np.testing.assert_array_equal(panel.values, values_before)
    by_series = dict(zip(panel.ids, forecast, strict=True))
    np.testing.assert_allclose(by_series["constant"], 4, rtol=0.02)
    np.testing.assert_allclose(by_series["zero"], 0, atol=0.6)


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda forecaster: forecaster.name)
@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_next_to_no_history(forecaster: Any, steps: int) -> None:
    panel = Panel(["a", "b"], np.arange(2.0 * steps).reshape(2, steps), (7,))
    forecast = forecaster.fit(panel, 5).forecast(panel, 5)
    assert forecast.shape == (2, 5)
    assert np.isfinite(forecast).all()


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda forecaster: forecaster.name)
def test_nobody_at_all(forecaster: Any) -> None:
    panel = Panel([], np.zeros((0, 30)), (7,))
    assert forecaster.fit(panel, 4).forecast(panel, 4).shape == (0, 4)


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda first: first.name)
def test_the_future_is_not_seen(forecaster: Any) -> None:
    panel = difficult_panel(60)
    changed = replace(panel, values=np.where(np.arange(60) < 46, panel.values, 999.0))
    first, second = (version.back(14) for version in (panel, changed))
    forecasts = [forecaster.fit(past, 7).forecast(past, 7) for past in (first, second)]
    np.testing.assert_array_equal(*forecasts)


def test_intervals_of_the_worst_have_a_width() -> None:
    """Constant and very short series also get intervals wider than zero."""
    panel = difficult_panel()
    rng = np.random.default_rng(0)
    truth = rng.normal(20, 5, (300, 7))
    conformal = ConformalQuantiles().fit(truth, np.full((300, 7), 20.0), np.full(300, 5.0))
    forecast = LastValue().forecast(panel, 7)
    quantiles = conformal.quantiles(forecast, mase_scale(panel.values, 7))
    assert (quantiles[0.975] > quantiles[0.025]).all()
    assert all((values >= 0).all() for values in quantiles.values())


def test_gaps_and_repeats() -> None:
    observations = rows(("a", 0, 1.0), ("a", 3, 4.0), ("a", 3, 4.0), ("b", 2, 7.0), ("b", 3, None), ("c", 1, None))
    counts = Panel.of(observations, step=DAY)
    assert counts.ids == ["a", "b", "c"]
    np.testing.assert_array_equal(
        counts.values, [[1, 0, 0, 4], [np.nan, np.nan, 7, 0], [np.nan, np.nan, np.nan, np.nan]]
    )
    measured = Panel.of(observations, step=DAY, gaps="interpolate")
    np.testing.assert_array_equal(measured.values[:2], [[1, 2, 3, 4], [np.nan, np.nan, 7, 7]])
    assert counts.end == START + 4 * DAY


def test_a_series_that_stopped_goes_on_as_a_gap() -> None:
    observations = rows(("a", 0, 1.0), ("b", 0, 1.0), ("b", 2, 1.0))
    assert Panel.of(observations, step=DAY).values.tolist() == [[1, 0, 0], [1, 0, 1]]
    assert Panel.of(observations, step=DAY, end=START + 5 * DAY).values.tolist() == [[1, 0, 0, 0, 0], [1, 0, 1, 0, 0]]
    # values after the end are dropped
    assert Panel.of(observations, step=DAY, end=START + DAY).values.tolist() == [[1], [1]]


def test_no_rows_no_series() -> None:
    panel = Panel.of(rows(), step=DAY)
    assert (len(panel), panel.steps) == (0, 0)


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        (rows(("a", 0, 1.0), ("a", 0, 2.0)), "one value for each series and step.*'a' at 2024-01-01"),
        (rows(("a", 0, 1.0), ("a", 1, -2.0)), "none below 0.*-2.0 in 'a'"),
        (rows(("a", 0, float("inf"))), "finite values"),
        (rows(("a", 0, 1.0)).with_columns(id=pl.lit(None, pl.String)), "a series and a time in every row"),
        (rows(("a", 0, 1.0)).with_columns(time=pl.lit("soon")), "a series and a time in every row"),
        (
            pl.concat([rows(("a", 0, 1.0)), rows(("a", 3, 1.0)).with_columns(pl.col("time") + timedelta(hours=5))]),
            "whole steps.*'a' at 2024-01-01",
        ),
    ],
    ids=["contradiction", "negative", "infinite", "no name", "no time", "mixed frequencies"],
)
def test_what_makes_no_series_is_refused(observations: pl.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Panel.of(observations, step=DAY)


def test_measures_may_be_negative() -> None:
    panel = Panel.of(rows(("a", 0, -1.0), ("a", 1, -3.0)), step=DAY, nonnegative=False)
    assert LastValue().forecast(panel, 1).tolist() == [[-3.0]]
