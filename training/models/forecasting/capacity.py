"""The load of the whole service by the hour, a week ahead (``capacity_forecaster``).

Plays an hour are pulled through Feast (``platform_load_v1`` at every hour). Seasonal naive and mean, LOESS with
exponential smoothing, and a boosted model on lags make an ensemble, chosen on validation origins;
``upper_95`` is the load to be ready for: one hour in forty is above it.
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
from training.models.forecasting.global_lightgbm import GlobalLightGBM
from training.models.forecasting.naive import LastValue, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.forecasting.statistical import MSTL
from training.models.forecasting.written import write
from training.models.lightgbm_onnx import OnnxBooster, to_onnx

NAME, SERVICE, VIEW = "capacity_forecaster", "platform_load_v1", "platform_load_forecast"
DAY, WEEK = 24, 168


@dataclass(frozen=True)
class Settings:
    """What a run may vary.

    Attributes:
        horizon: hours ahead.
        rolling: origins of validation, and of test, a day apart.
        trees: of the boosted model.
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
        """Likewise of validation; their hours end before the first test origin."""
        return [max(self.test) + self.horizon + DAY * number for number in range(self.rolling)]


def load(home: Home) -> Panel:
    """The load up to the end of the last full day."""
    end = last_full_day(home)
    names, values = history(home, SERVICE, "platform_load__plays_1h", "platform_id", end=end, every=HOUR)
    return Panel(names, values.astype(np.float64), (DAY, WEEK), end, HOUR)


def forecasters(settings: Settings) -> list[Forecaster]:
    """Whom the ensemble is made of."""
    learned = GlobalLightGBM(trees=settings.trees, leaves=15, floor=0.5, origins=24, stride=11)
    plain: list[Forecaster] = [SeasonalNaive(), SeasonalMean(), SeasonalNaive(DAY, "seasonal_naive_day"), LastValue()]
    return [*plain, MSTL, learned]


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> ForecastResult:
    """Train, measure and register. See the module's docstring.

    Raises:
        InputError: too few hours.
    """
    settings = settings or Settings()
    clock = Clock(progress, 4)
    panel = load(home)
    if panel.steps < max(settings.validation) + 2 * WEEK:
        raise InputError(
            expected=f"at least {(max(settings.validation) + 2 * WEEK) // DAY} days of plays for a week by the hour",
            found=f"{panel.steps // DAY}",
            next_command="python -m transforms import FORMAT PATH  (more days)",
        )
    clock.lap("features")
    names = [one.name for one in forecasters(settings)]
    past = backtest(panel, forecasters(settings), settings.horizon, settings.validation)
    blend = Blend.choose(past, names)
    conformal = _conformal(past, blend)
    clock.lap("validation")
    test = backtest(panel, forecasters(settings), settings.horizon, settings.test)
    said = blend.of(test)
    made = [_quantiles(conformal, at, scale) for at, scale in zip(said, test.scale, strict=True)]
    quantiles = {level: np.stack([one[level] for one in made]) for level in conformal.levels}
    of: dict[str, Metrics] = {"ensemble": test.metrics(said, quantiles)}
    of |= {name: test.metrics(values) for name, values in test.forecasts.items()}
    clock.lap("test")
    fitted = [one.fit(panel, settings.horizon) for one in forecasters(settings)]
    learned = [one for one in fitted if isinstance(one, GlobalLightGBM) and one.booster is not None]
    pulled = training_set(SERVICE, all_keys(SERVICE, None, panel.end, home=home), home=home)
    metrics = {"plays an hour": of}
    version = register_forecaster(
        home,
        NAME,
        files={f"{one.name}.onnx": to_onnx(one.booster) for one in learned},
        metrics=metrics,
        pulled=Sample.of(pulled),
        inputs=learned[0].names(panel) if learned else [],
        cutoff=panel.end.isoformat(),
        parameters={**asdict(settings), "hours": panel.steps, "blend": blend.kind},
        about="Plays of everybody an hour, a week ahead; intervals from the errors on validation.",
        extra={"settings": asdict(settings), "blend": blend.as_json(), "conformal": conformal.as_json()},
        evidence=test.evidence(said, panel, [SeasonalNaive().name, SeasonalMean().name]),
    )
    shown = [
        report.Shown(
            "plays an hour",
            panel.values[0][-3 * WEEK :],
            settings.test[0],
            said[0, 0],
            {level: values[0, 0] for level, values in quantiles.items()},
        )
    ]
    page = report.write(home, NAME, version, metrics, blend.as_json(), shown)
    clock.lap("registration")
    return ForecastResult(NAME, version, panel.steps, metrics, clock.seconds, page)


def forecast(home: Home) -> dict[str, int]:
    """What the champion says from the end of the last full day on, written back as features; rows by view.

    Raises:
        BundleError: nothing is promoted.
    """
    folder, manifest = read_champion(home, NAME)
    settings = Settings(**manifest.extra["settings"])
    panel = load(home)
    forecasts: dict[str, Any] = {}
    for one in forecasters(settings):
        path = folder / f"{one.name}.onnx"
        ready = replace(one, booster=OnnxBooster(path.read_bytes())) if path.is_file() else one  # type: ignore[type-var]
        forecasts[one.name] = ready.forecast(panel, settings.horizon)[None]
    scale = mase_scale(panel.values, panel.season)
    unknown = np.full((1, len(panel), settings.horizon), np.nan)
    now = Backtest(forecasts, unknown, scale[None], np.array([panel.steps]))
    mean = panel.bounded(Blend.from_json(manifest.extra["blend"]).of(now)[0])
    quantiles = _quantiles(ConformalQuantiles.from_json(manifest.extra["conformal"]), mean, scale)
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


def _conformal(past: Backtest, blend: Blend) -> ConformalQuantiles:
    """Each hour by itself, in groups of hours that are said to be alike: a night is surer than an evening."""
    hours = (past.truth.reshape(-1, 1), blend.of(past).reshape(-1, 1))
    return ConformalQuantiles().fit(*hours, np.repeat(past.scale.reshape(-1), past.truth.shape[2]))


def _quantiles(conformal: ConformalQuantiles, said: np.ndarray, scale: np.ndarray) -> dict[float, np.ndarray]:
    """Level → (n, horizon)."""
    made = conformal.quantiles(said.reshape(-1, 1), np.repeat(scale, said.shape[1]))
    return {level: values.reshape(said.shape) for level, values in made.items()}


MODEL = FamilyModel(
    name=NAME,
    family="forecasting",
    about="The load of the whole service by the hour, a week ahead.",
    services=(SERVICE,),
    writes=(VIEW,),
    program=run,
    forecast=forecast,
)
