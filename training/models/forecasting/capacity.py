"""Forecasts of the load of the whole service by the hour, a week ahead (``capacity_forecaster``).

Plays an hour are pulled through Feast (``platform_load_v1`` at every hour). Seasonal naive and mean, LOESS with
exponential smoothing, and a boosted model on lags make an ensemble, chosen on validation origins. ``upper_95`` is the
load to provision for: one hour in forty is above it.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.bundle import read_champion
from training.clock import Clock
from training.datasets import Sample, all_keys, training_set
from training.datasets.series import HOUR, history, last_full_day
from training.evaluate import mase_scale
from training.models.base import FamilyModel
from training.models.forecasting import report
from training.models.forecasting.backtest import Backtest, Forecaster, backtest
from training.models.forecasting.blend import Blend
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.forecast_rows import write
from training.models.forecasting.global_lightgbm import GlobalLightGBM
from training.models.forecasting.naive import LastValue, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.permuted import permuted_forecasts
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.forecasting.statistical import MSTL
from training.models.lightgbm_onnx import OnnxBooster, to_onnx

NAME, SERVICE, VIEW = "capacity_forecaster", "platform_load_v1", "platform_load_forecast"
DAY, WEEK = 24, 168


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        horizon: number of hours to forecast.
        rolling: number of origins of validation, and of test, a day apart.
        trees: number of trees of the boosted model.
    """

    horizon: int = WEEK
    rolling: int = 4
    trees: int = 200

    @property
    def test(self) -> list[int]:
        """Hours before the end of each test origin."""
        return [self.horizon + DAY * number for number in range(self.rolling)]

    @property
    def validation(self) -> list[int]:
        """Hours before the end of each validation origin; their horizons end before the first test origin."""
        return [max(self.test) + self.horizon + DAY * number for number in range(self.rolling)]


def load(home: Home) -> Panel:
    """Loads the plays by the hour up to the end of the last full day."""
    end = last_full_day(home)
    names, values = history(home, SERVICE, "platform_load__plays_1h", "platform_id", end=end, every=HOUR)
    return Panel(names, values.astype(np.float64), (DAY, WEEK), end, HOUR)


def forecasters(settings: Settings) -> list[Forecaster]:
    """Builds the members of the ensemble."""
    boosted = GlobalLightGBM(trees=settings.trees, leaves=15, floor=0.5, origins=24, stride=11)
    naive: list[Forecaster] = [SeasonalNaive(), SeasonalMean(), SeasonalNaive(DAY, "seasonal_naive_day"), LastValue()]
    return [*naive, MSTL, boosted]


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> ForecastResult:
    """Trains, evaluates and registers the model. See the module's docstring.

    Raises:
        InputError: there are too few hours.
    """
    settings = settings or Settings()
    clock = Clock(progress, 4)
    panel = load(home)
    if panel.steps < max(settings.validation) + 2 * WEEK:
        raise InputError(
            expected=f"at least {(max(settings.validation) + 2 * WEEK) // DAY} days of plays for a week by the hour",
            found=f"{panel.steps // DAY}",
            next_command="refrain import FORMAT PATH  (more days)",
        )
    clock.lap("features")
    names = [forecaster.name for forecaster in forecasters(settings)]
    validation = backtest(panel, forecasters(settings), settings.horizon, settings.validation)
    blend = Blend.choose(validation, names)
    conformal = _conformal(validation, blend)
    clock.lap("validation")
    test = backtest(panel, forecasters(settings), settings.horizon, settings.test)
    forecasts = blend.of(test)
    by_origin = [
        _hourly_quantiles(conformal, forecast, scale) for forecast, scale in zip(forecasts, test.scale, strict=True)
    ]
    quantiles = {
        level: np.stack([origin_quantiles[level] for origin_quantiles in by_origin]) for level in conformal.levels
    }
    by_forecaster: dict[str, Metrics] = {"ensemble": test.metrics(forecasts, quantiles)}
    by_forecaster |= {name: test.metrics(values) for name, values in test.forecasts.items()}
    floor = permuted_forecasts(panel, forecasters(settings), blend, settings.horizon, settings.test)
    clock.lap("test")
    fitted = [forecaster.fit(panel, settings.horizon) for forecaster in forecasters(settings)]
    boosted = [
        forecaster for forecaster in fitted if isinstance(forecaster, GlobalLightGBM) and forecaster.booster is not None
    ]
    pulled = training_set(SERVICE, all_keys(SERVICE, None, panel.end, home=home), home=home)
    metrics = {"plays an hour": by_forecaster}
    version = register_forecaster(
        home,
        NAME,
        files={f"{forecaster.name}.onnx": to_onnx(forecaster.booster) for forecaster in boosted},
        metrics=metrics,
        pulled=Sample.of(pulled),
        inputs=boosted[0].names(panel) if boosted else [],
        cutoff=panel.end.isoformat(),
        parameters={**asdict(settings), "hours": panel.steps, "blend": blend.kind},
        about="Plays of everybody an hour, a week ahead; intervals from the errors on validation.",
        extra={"settings": asdict(settings), "blend": blend.as_json(), "conformal": conformal.as_json()},
        evidence=test.evidence(forecasts, panel, [SeasonalNaive().name, SeasonalMean().name], floor),
    )
    plots = [
        report.ForecastPlot(
            "plays an hour",
            panel.values[0][-3 * WEEK :],
            settings.test[0],
            forecasts[0, 0],
            {level: values[0, 0] for level, values in quantiles.items()},
        )
    ]
    page = report.write(home, NAME, version, metrics, blend.as_json(), plots)
    clock.lap("registration")
    return ForecastResult(NAME, version, panel.steps, metrics, clock.seconds, page)


def forecast(home: Home) -> dict[str, int]:
    """Forecasts from the end of the last full day by the champion and writes the forecasts back as features.

    Returns:
        View → number of rows.

    Raises:
        BundleError: no version is promoted.
    """
    folder, manifest = read_champion(home, NAME)
    settings = Settings(**manifest.extra["settings"])
    panel = load(home)
    forecasts: dict[str, Any] = {}
    for forecaster in forecasters(settings):
        path = folder / f"{forecaster.name}.onnx"
        loaded = replace(forecaster, booster=OnnxBooster(path.read_bytes())) if path.is_file() else forecaster  # type: ignore[type-var]
        forecasts[forecaster.name] = loaded.forecast(panel, settings.horizon)[None]
    scale = mase_scale(panel.values, panel.season)
    no_truth = np.full((1, len(panel), settings.horizon), np.nan)
    current = Backtest(forecasts, no_truth, scale[None], np.array([panel.steps]))
    mean = panel.bounded(Blend.from_json(manifest.extra["blend"]).of(current)[0])
    quantiles = _hourly_quantiles(ConformalQuantiles.from_json(manifest.extra["conformal"]), mean, scale)
    rows = write(
        home,
        VIEW,
        panel.ids,
        origin=panel.end,
        step=HOUR,
        steps=range(1, settings.horizon + 1),
        mean=mean,
        quantiles=quantiles,
        model=f"{NAME}:{manifest.version}",
    )
    return {VIEW: rows}


def _conformal(validation: Backtest, blend: Blend) -> ConformalQuantiles:
    """Fits quantiles of single hours, grouped by forecast load: a night is more certain than an evening."""
    hours = (validation.truth.reshape(-1, 1), blend.of(validation).reshape(-1, 1))
    return ConformalQuantiles().fit(*hours, np.repeat(validation.scale.reshape(-1), validation.truth.shape[2]))


def _hourly_quantiles(
    conformal: ConformalQuantiles, forecast: np.ndarray, scale: np.ndarray
) -> dict[float, np.ndarray]:
    """Computes level → quantiles (n, horizon), hour by hour."""
    flat_quantiles = conformal.quantiles(forecast.reshape(-1, 1), np.repeat(scale, forecast.shape[1]))
    return {level: values.reshape(forecast.shape) for level, values in flat_quantiles.items()}


MODEL = FamilyModel(
    name=NAME,
    family="forecasting",
    about="The load of the whole service by the hour, a week ahead.",
    services=(SERVICE,),
    raw=("plays",),
    writes=(VIEW,),
    program=run,
    forecast=forecast,
)
