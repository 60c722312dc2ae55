"""Forecasters, backtests, intervals and hierarchies match their definitions and published figures."""

from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks.quality_m4 import panel_of, read
from feature_repo.errors import InputError
from training.evaluate import forecast_metrics, mase, mase_scale, owa, pinball, probability_metrics, smape
from training.models.forecasting import calendar, lags
from training.models.forecasting.backtest import backtest
from training.models.forecasting.blend import ENSEMBLES, Blend
from training.models.forecasting.cold_start import AGES, ReleaseCurve
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.global_lightgbm import GLOBAL_CHANGE, GLOBAL_LOG_CHANGE, GlobalLightGBM
from training.models.forecasting.hierarchy import Hierarchy
from training.models.forecasting.naive import LastValue, Naive2, RecentMean, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.reconcile import Reconciler
from training.models.lightgbm_onnx import OnnxBooster, to_onnx


def weekly(count: int = 40, steps: int = 120, noise: float = 0.1, seed: int = 0) -> Panel:
    """Returns series of very different sizes with a weekly season, a trend and noise."""
    rng = np.random.default_rng(seed)
    size = 10 ** rng.uniform(0, 5, (count, 1))
    phase = rng.integers(0, 7, (count, 1))
    time = np.arange(steps)
    shape = 2 + np.sin((time + phase) * 2 * np.pi / 7) + rng.normal(0, 0.004, (count, 1)) * time
    values = size * np.maximum(shape + rng.normal(0, noise, (count, steps)), 0)
    return Panel([f"s{number}" for number in range(count)], values, (7,))


def test_naive2_gives_the_published_figures_of_m4(real_data: Path) -> None:
    folder = real_data / "m4-hourly"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    train = [values for _, values in read(folder / "Train" / "Hourly-train.csv")]
    truth = np.array([values for _, values in read(folder / "Test" / "Hourly-test.csv")])
    panel = panel_of(train, (24, 168))
    forecast = Naive2(24).forecast(panel, 48)
    assert smape(truth, forecast).mean() == pytest.approx(18.383, abs=5e-4)
    assert mase(truth, forecast, mase_scale(panel.values, 24)).mean() == pytest.approx(2.395, abs=5e-4)


def test_seasonal_forecasts() -> None:
    panel = Panel(["a", "b"], np.array([[1.0, 2, 3, 5, 6, 7], [np.nan, np.nan, np.nan, np.nan, 4, 8]]), (3,))
    assert SeasonalNaive().forecast(panel, 5).tolist() == [[5, 6, 7, 5, 6], [8] * 5]
    assert SeasonalMean().forecast(panel, 4).tolist() == [[3, 4, 5, 3], [8] * 4]
    assert SeasonalMean(seasons=1).forecast(panel, 3)[0].tolist() == [5, 6, 7]
    assert RecentMean(2).forecast(panel, 1).tolist() == [[6.5], [6]]


@settings(max_examples=20, deadline=None)
@given(steps=st.integers(1, 60), horizon=st.integers(1, 20), seasons=st.sampled_from([(), (7,), (4, 12)]))
def test_lags_are_values_of_the_past(steps: int, horizon: int, seasons: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).random((3, steps)) * 100
    values[1, : steps // 2] = np.nan
    lagged = lags.lagged(values, horizon, seasons)
    names = lags.names(seasons)
    assert lagged.inputs.shape == (3, horizon, len(names))
    lag_values = lagged.inputs * lagged.spread[:, :, None] + lagged.level[:, :, None]
    season = min(seasons, default=1)
    for step in range(horizon):
        for back in range(4):
            source_step = steps + step - (step // season + 1 + back) * season
            actual = lag_values[:, step, names.index(f"season_{season}_back_{back + 1}")]
            expected = values[:, source_step] if source_step >= 0 else np.full(3, np.nan)
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)
        newest = lag_values[:, step, names.index("lag_1")]
        np.testing.assert_allclose(newest, values[:, -1], rtol=1e-4, atol=1e-3)
    assert (lagged.inputs[:, :, -1] == np.arange(horizon)).all()


def test_the_global_model_learns_the_season_of_series_of_any_size() -> None:
    panel = weekly()
    past = panel.back(7)
    model = GlobalLightGBM(trees=150).fit(past, 7)
    scale = mase_scale(past.values, 7)
    truth = panel.truth(7, 7)
    model_error, naive_error = (
        mase(truth, forecaster.forecast(past, 7), scale).mean() for forecaster in (model, SeasonalNaive())
    )
    assert model_error < 0.9 * naive_error
    retrained = GlobalLightGBM(trees=150).fit(past, 7)
    np.testing.assert_array_equal(model.forecast(past, 7), retrained.forecast(past, 7))


@pytest.mark.parametrize("difference", [False, True])
def test_the_bundle_says_what_the_trained_model_says(difference: bool) -> None:
    panel = weekly()
    model = GlobalLightGBM(trees=60, difference=difference).fit(panel, 7)
    assert model.booster is not None
    loaded = GlobalLightGBM(difference=difference, booster=OnnxBooster(to_onnx(model.booster)))
    expected, actual = model.forecast(panel, 7), loaded.forecast(panel, 7)
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-3 * expected.max(axis=1, keepdims=True).min())


def test_what_is_known_ahead_is_used() -> None:
    """Values double on some days, and the model gets these days as a future input."""
    rng = np.random.default_rng(0)
    double = (rng.random(140) < 0.2) | (np.arange(140) == 133)
    values = (10 + rng.normal(0, 0.5, (30, 140))) * np.where(double, 2, 1)
    panel = Panel([f"s{number}" for number in range(30)], values[:, :130], (7,))

    def double_days(panel: Panel, horizon: int) -> np.ndarray:
        return double[panel.steps : panel.steps + horizon].astype(float)[None, :, None]

    truth = values[:, 130:137]
    with_future_input = (
        GlobalLightGBM(trees=100, future_inputs=double_days, future_input_names=("double",))
        .fit(panel, 7)
        .forecast(panel, 7)
    )
    without_future_input = GlobalLightGBM(trees=100).fit(panel, 7).forecast(panel, 7)
    assert double[130:137].any()
    assert np.abs(with_future_input - truth).mean() < 0.4 * np.abs(without_future_input - truth).mean()


def test_a_backtest_asks_at_each_origin_about_what_came_after() -> None:
    panel = weekly(5, 60)
    result = backtest(panel, [LastValue(), SeasonalNaive()], 7, [7, 10, 3])
    assert result.truth.shape == (3, 5, 7)
    np.testing.assert_array_equal(result.truth[0], panel.values[:, -7:])
    np.testing.assert_array_equal(result.truth[1], panel.values[:, -10:-3])
    assert np.isnan(result.truth[2, :, 3:]).all()
    np.testing.assert_array_equal(result.forecasts["last_value"][1, :, 0], panel.values[:, -11])
    members = result.members(["last_value", "seasonal_naive"])
    assert len(members.truth) == 5 * (7 + 7 + 3)
    with pytest.raises(InputError, match="60 steps"):
        backtest(panel, [LastValue()], 7, [60])


def test_a_blend_is_no_worse_than_its_members_on_validation_and_survives_a_file() -> None:
    panel = weekly(60, 120, noise=0.4)
    result = backtest(
        panel, [LastValue(), SeasonalNaive(), SeasonalMean(), RecentMean(7, "mean_7")], 7, [7, 14, 21, 28]
    )
    names = list(result.forecasts)
    blend = Blend.choose(result, names)
    assert set(blend.losses) == {*names, *ENSEMBLES}
    assert blend.losses[blend.kind] == min(blend.losses.values())
    np.testing.assert_allclose(Blend.from_json(blend.as_json()).of(result), blend.of(result))
    for kind in ENSEMBLES:
        by_mae = Blend.choose(result, names, loss=lambda truth, forecast: float(np.mean(np.abs(truth - forecast))))
        document = by_mae.as_json() | ({"kind": kind} if kind in ("mean", "median") else {})
        assert np.isfinite(Blend.from_json(document).of(result)).all()


def test_intervals_cover_what_they_say() -> None:
    rng = np.random.default_rng(0)
    scale = rng.uniform(1, 100, 2_000)
    forecast = rng.uniform(0, 20, (2_000, 3)) * scale[:, None]
    truth = forecast + rng.gamma(2, 1, (2_000, 3)) * scale[:, None] * np.array(
        [1, 2, 3]
    )  # skewed errors that grow with the horizon
    half = slice(0, 1_000), slice(1_000, 2_000)
    conformal = ConformalQuantiles().fit(*(array[half[0]] for array in (truth, forecast, scale)))
    quantiles = conformal.quantiles(forecast[half[1]], scale[half[1]])
    metrics = forecast_metrics(truth[half[1]], forecast[half[1]], scale[half[1]], quantiles)
    assert metrics.coverage[80] == pytest.approx(0.8, abs=0.03)
    assert metrics.coverage[95] == pytest.approx(0.95, abs=0.02)
    width = (quantiles[0.9] - quantiles[0.1]).mean(axis=0)
    assert (np.diff(width) > 0).all()
    reloaded = ConformalQuantiles.from_json(conformal.as_json()).quantiles(forecast[half[1]], scale[half[1]])
    np.testing.assert_array_equal(quantiles[0.975], reloaded[0.975])


def small_hierarchy(rng: np.random.Generator, count: int = 12) -> Hierarchy:
    artists = [f"a{number % 4}" for number in range(count)]
    genres = [None if number == 0 else f"g{number % 2}" for number in range(count)]
    return Hierarchy.of([f"t{number}" for number in range(count)], {"artist": artists, "genre": genres})


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_reconciled_forecasts_add_up_and_are_the_nearest_that_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hierarchy = small_hierarchy(rng)
    forecast = rng.normal(10, 5, (len(hierarchy.names), 3))
    variance = rng.uniform(0.1, 10, len(hierarchy.names))
    reconciled = hierarchy.reconcile(forecast, variance, nonnegative=False)
    summing = hierarchy.summing.toarray()
    np.testing.assert_allclose(reconciled, summing @ reconciled[:12], atol=1e-8)
    weights = 1 / np.sqrt(variance)[:, None]
    expected, *_ = np.linalg.lstsq(summing * weights, forecast * weights, rcond=None)
    np.testing.assert_allclose(reconciled[:12], expected, atol=1e-6)
    assert (hierarchy.reconcile(forecast, variance) >= 0).all()


def test_what_adds_up_already_stays() -> None:
    rng = np.random.default_rng(0)
    hierarchy = small_hierarchy(rng)
    forecast = hierarchy.sums(rng.uniform(1, 9, (12, 4)))
    np.testing.assert_allclose(hierarchy.reconcile(forecast, np.full(len(hierarchy.names), 2.0)), forecast)
    assert [len(range(len(hierarchy.names))[level]) for level in hierarchy.levels.values()] == [12, 4, 2, 1]


def test_a_sum_begins_with_its_first_series() -> None:
    hierarchy = Hierarchy.of(["x", "y"], {"artist": ["a", "a"]})
    sums = hierarchy.sums(np.array([[np.nan, np.nan, 1.0], [np.nan, 2.0, 3.0]]))
    np.testing.assert_array_equal(sums[2], [np.nan, 2, 4])
    np.testing.assert_array_equal(sums[3], sums[2])


def test_reconciliation_learns_whom_to_trust() -> None:
    """All bottom series have the same error; only the total is right."""
    rng = np.random.default_rng(0)
    hierarchy = Hierarchy.of(
        [f"t{number}" for number in range(30)], {"artist": [f"a{number % 3}" for number in range(30)]}
    )
    bottom = rng.uniform(5, 15, (30, 60)) * (1 + 0.5 * np.sin(np.arange(60)))
    panel = Panel(hierarchy.names, hierarchy.sums(bottom), (7,))
    result = backtest(panel, [RecentMean(7)], 5, [5, 12, 19])
    forecasts = result.forecasts["recent_mean"].copy()
    forecasts[:, hierarchy.levels["total"]] = result.truth[:, hierarchy.levels["total"]]
    reconciler = Reconciler.fit(hierarchy, result, forecasts)
    reconciled = reconciler.reconcile(hierarchy, forecasts, result.scale)
    total = hierarchy.levels["total"]
    unreconciled_error = np.abs(
        forecasts[:, : hierarchy.summing.shape[1]].sum(axis=1) - result.truth[:, total][:, 0]
    ).mean()
    assert np.abs(reconciled[:, total] - result.truth[:, total]).mean() < 0.2 * unreconciled_error
    np.testing.assert_allclose(
        Reconciler.from_json(reconciler.as_json()).reconcile(hierarchy, forecasts, result.scale), reconciled
    )


def test_reconciliation_takes_a_bias_out() -> None:
    """The forecasts are a fifth too low on every level."""
    rng = np.random.default_rng(0)
    hierarchy = Hierarchy.of(
        [f"t{number}" for number in range(20)], {"artist": [f"a{number % 2}" for number in range(20)]}
    )
    panel = Panel(hierarchy.names, hierarchy.sums(rng.uniform(8, 12, (20, 60))), (7,))
    result = backtest(panel, [LastValue()], 5, [5, 12, 19])
    forecasts = 0.8 * np.broadcast_to(result.truth.mean(axis=(0, 2))[None, :, None], result.truth.shape)
    reconciled = Reconciler.fit(hierarchy, result, forecasts).reconcile(hierarchy, forecasts, result.scale)
    total = hierarchy.levels["total"]
    assert reconciled[:, total].mean() == pytest.approx(result.truth[:, total].mean(), rel=0.02)


def test_new_tracks_follow_their_likes() -> None:
    rng = np.random.default_rng(0)
    days, tracks_per_artist = 60, 30
    plays_per_artist = {"big": 100.0, "small": 5.0}
    rows, ages, artists = [], [], []
    for artist, mean_plays in plays_per_artist.items():
        for number in range(tracks_per_artist):
            age = int(rng.integers(10, 50)) if number % 2 else 400
            series = np.full(days, np.nan)
            first = max(days - age, 0)
            multiple = 1 + 4 * np.exp(-np.arange(days - first) / 6) if age < days else np.ones(days)
            series[first:] = rng.poisson(mean_plays * multiple)
            rows.append(series)
            ages.append(age)
            artists.append(artist)
    values = np.stack(rows)
    curve = ReleaseCurve.fit(values, np.array(ages, float), artists)
    level = curve.level(values, artists)
    forecast = curve.forecast(level, np.zeros(len(level)), 14)
    by_artist = {artist: forecast[artists.index(artist)] for artist in plays_per_artist}
    for artist, mean_plays in plays_per_artist.items():
        expected = mean_plays * (1 + 4 * np.exp(-np.arange(14) / 6))
        assert np.abs(by_artist[artist] / expected - 1).mean() < 0.35, artist
        assert by_artist[artist][0] > 1.5 * by_artist[artist][13]
    # an unknown artist gets the level of all artists
    unknown_level = curve.level(np.vstack([values, np.full(days, np.nan)]), [*artists, None])[-1]
    assert unknown_level == pytest.approx(curve.everyone)
    assert len(curve.curve) == AGES


def test_holidays_count_by_listeners() -> None:
    from datetime import UTC, datetime

    days = calendar.days_ahead(datetime(2025, 7, 3, tzinfo=UTC), 4, {"US": 0.75, "DE": 0.25, "??": 1.0})
    columns = dict(zip(calendar.NAMES, days.T, strict=True))
    assert columns["holiday"].tolist() == [0, 0.375, 0, 0]  # Independence Day
    assert columns["holiday_before"].tolist() == [0, 0, 0.375, 0]
    assert columns["weekend"].tolist() == [0, 0, 1, 1]


def test_metrics_by_hand() -> None:
    truth, forecast = np.array([[2.0, 4.0, np.nan]]), np.array([[4.0, 4.0, 1.0]])
    quantiles = {0.1: np.array([[1.0, 5.0, 0.0]]), 0.9: np.array([[3.0, 6.0, 9.0]])}
    metrics = forecast_metrics(truth, forecast, np.array([2.0]), quantiles)
    assert (metrics.mae, metrics.mase, metrics.steps) == (1.0, 0.5, 2)
    assert metrics.rmse == pytest.approx(np.sqrt(2))
    assert metrics.smape == pytest.approx((200 * 2 / 6) / 2)
    assert (metrics.coverage, metrics.width) == ({80: 0.5}, {80: 1.5})
    assert pinball(np.array([1.0]), np.array([3.0]), 0.9)[0] == pytest.approx(0.2)
    assert owa(9, 1, 18, 2) == 0.5
    assert np.isnan(mase_scale(np.ones((1, 9)), 7))[0]
    assert mase_scale(np.array([[1.0, 3.0, 1.0]]), 7).tolist() == [2.0]


def test_probabilities_by_hand() -> None:
    metrics = probability_metrics(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]))
    assert metrics.brier == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert metrics.roc_auc == 0.75
    assert metrics.base_rate == 0.5
    assert probability_metrics(np.array([]), np.array([])).rows == 0
    assert np.isnan(probability_metrics(np.array([0, 0]), np.array([0.1, 0.2])).roc_auc)


@pytest.mark.parametrize("shift", [8.0, -8.0])
def test_a_level_that_shifted_lately_is_the_level_of_the_forecast(shift: float) -> None:
    """Three days after a shift, changes are forecast from the new level; values are drawn to the old one."""
    rng = np.random.default_rng(2)
    week = np.sin(np.arange(127) * 2 * np.pi / 7)
    levels = 20 + np.cumsum((rng.random((80, 127)) < 0.02) * rng.choice([-8.0, 8.0], (80, 127)), axis=1)
    values = levels + week + rng.normal(0, 0.3, levels.shape)
    values[0] = 40 + week + np.where(np.arange(127) < 117, 0.0, shift)
    panel = Panel([str(number) for number in range(80)], values, (7,), nonnegative=False)
    past, truth = panel.back(7), values[0, -7:]
    errors = {
        member.name: float(np.abs(member.fit(past, 7).forecast(past, 7)[0] - truth).mean())
        for member in (replace(GLOBAL_CHANGE, trees=60), replace(GLOBAL_LOG_CHANGE, trees=60), SeasonalNaive())
    }
    assert errors["global_change"] < 1.5
    assert errors["global_log_change"] < 1.5
    assert errors["seasonal_naive"] > 4


def test_changes_are_forecast_alike_in_all_units() -> None:
    panel = weekly(20)
    small, large = (replace(panel, values=panel.values * unit) for unit in (1e-3, 1e6))
    for member in (replace(GLOBAL_CHANGE, trees=20), replace(GLOBAL_LOG_CHANGE, trees=20)):
        forecasts = [member.fit(scaled, 7).forecast(scaled, 7) for scaled in (small, large)]
        np.testing.assert_allclose(forecasts[0] * 1e9, forecasts[1], rtol=0.05)


@pytest.mark.filterwarnings("error")
def test_changes_that_are_next_to_nothing_are_forecast() -> None:
    panel = weekly(20)
    values = panel.values.copy()
    values[0], values[1], values[2] = 5.0, 5.0, 0.0
    values[1, ::2] += 1e-15 * 5  # the smallest step of these numbers
    values[2, -1] = 1e-300
    odd = replace(panel, values=values)
    for member in (replace(GLOBAL_CHANGE, trees=5), replace(GLOBAL_LOG_CHANGE, trees=5)):
        forecast = member.fit(odd, 7).forecast(odd, 7)
        assert np.isfinite(forecast).all()
        np.testing.assert_allclose(forecast[:2], 5.0, rtol=0.01)


def test_logarithms_take_values_below_zero_and_zero() -> None:
    panel = weekly(20)
    values = panel.values - np.median(panel.values, axis=1, keepdims=True)
    values[0, ::3] = 0.0
    mixed = replace(panel, values=values, nonnegative=False)
    forecast = replace(GLOBAL_LOG_CHANGE, trees=40).fit(mixed.back(7), 7).forecast(mixed.back(7), 7)
    assert (forecast < 0).any()
    naive = np.abs(LastValue().forecast(mixed.back(7), 7) - values[:, -7:]).mean(axis=1)
    assert np.median(np.abs(forecast - values[:, -7:]).mean(axis=1) / naive) < 0.7
