"""Forecasts of daily streams of tracks, artists, genres and the total (``trend_forecaster``).

1. Histories are pulled through Feast: plays of every track on the day before, at every midnight.
2. Tracks are summed into artists, genres and the total. All nodes make one panel, so that one global model learns from
   all of them. Its further inputs are the calendar and, for tracks, popularity, age and popularity of the artist
   (``track_trend_v1`` as of each origin).
3. Rolling origins: the ensemble and its weights are chosen on validation origins, all of whose days lie before the
   first test origin; intervals come from its errors there. Test origins are evaluated once.
4. Forecasts are reconciled so that they add up. New tracks without plays are forecast from the first days of earlier
   tracks of their artist.
5. A bundle contains the global models as ONNX, the ensemble, the intervals and the release curve. ``forecast`` loads
   it, forecasts from the end of the data and writes the forecasts back as features.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.bundle import read_champion
from training.clock import Clock
from training.datasets.series import DAY
from training.models.base import FamilyModel
from training.models.forecasting import report
from training.models.forecasting.backtest import Forecaster, backtest
from training.models.forecasting.blend import Blend
from training.models.forecasting.cold_start import ReleaseCurve
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.forecast_rows import write
from training.models.forecasting.global_lightgbm import GlobalLightGBM
from training.models.forecasting.naive import RecentMean, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.reconcile import Reconciler
from training.models.forecasting.result import ForecastResult, register_forecaster
from training.models.forecasting.statistical import INTERMITTENT, THETA
from training.models.forecasting.trend_ensemble import choose_blends, combine_by_level, fit_intervals, forecast_levels
from training.models.forecasting.trend_evaluation import evidence_of_tracks, measure
from training.models.forecasting.trend_histories import SERVICE, World
from training.models.forecasting.trend_inputs import TrendInputs
from training.models.lightgbm_onnx import OnnxBooster, to_onnx

NAME = "trend_forecaster"
VIEWS = {
    "track": "track_streams_forecast",
    "artist": "artist_streams_forecast",
    "genre": "genre_streams_forecast",
    "total": "platform_streams_forecast",
}
"""Level → view with the forecasts of the level."""


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        horizon: number of days to forecast.
        rolling: number of origins of validation, and of test.
        stride: days between two origins.
        most_statistical: number of series above which models of single series are left out.
        trees: number of trees of each global model.
        most_rows: maximal number of training rows of a global model; with more, series are sampled.
        seed: seed of the samples.
    """

    horizon: int = 7
    rolling: int = 3
    stride: int = 3
    most_statistical: int = 3_000
    trees: int = 300
    most_rows: int = 600_000
    seed: int = 0

    @property
    def test(self) -> list[int]:
        """Days before the end of each test origin."""
        return [self.horizon + self.stride * number for number in range(self.rolling)]

    @property
    def validation(self) -> list[int]:
        """Days before the end of each validation origin; their horizons end before the first test origin."""
        return [max(self.test) + self.horizon + self.stride * number for number in range(self.rolling)]


def forecasters(future_inputs: TrendInputs, settings: Settings, series: int) -> list[Forecaster]:
    """Builds the members of the ensemble."""
    boosted = GlobalLightGBM(
        trees=settings.trees,
        most_rows=settings.most_rows,
        floor=0.5,
        origins=8,
        stride=max(settings.horizon // 2, 1),
        future_inputs=future_inputs,
        future_input_names=future_inputs.names,
        seed=settings.seed,
    )
    naive: list[Forecaster] = [SeasonalNaive(), SeasonalMean(), RecentMean(7, "mean_7d"), RecentMean(28, "mean_28d")]
    statistical: list[Forecaster] = [THETA, INTERMITTENT] if series <= settings.most_statistical else []
    return [boosted, replace(boosted, name="global_difference", difference=True), *statistical, *naive]


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> ForecastResult:
    """Trains, evaluates and registers the model. See the module's docstring.

    Raises:
        InputError: there are too few days.
        StoreError: features are not built or not applied.
    """
    settings = settings or Settings()
    clock = Clock(progress, 6)
    world = World.load(home)
    panel = world.panel
    required_days = max(settings.validation) + 2 * settings.horizon
    if panel.steps < required_days:
        raise InputError(
            expected=f"at least {required_days} days of plays for forecasts of {settings.horizon} days",
            found=f"{panel.steps}",
            next_command="refrain import FORMAT PATH  (more days)",
        )
    future_inputs = TrendInputs(world)
    members = forecasters(future_inputs, settings, len(panel))
    future_inputs.pull([*_origins(panel, members[0], [0, *settings.validation, *settings.test], settings.horizon)])
    clock.lap("features")
    names = [forecaster.name for forecaster in members]
    validation = backtest(panel, members, settings.horizon, settings.validation)
    clock.lap("validation")
    blends = choose_blends(world, validation, names)
    forecasts = combine_by_level(world, validation, blends)
    reconciler = Reconciler.fit(world.hierarchy, validation, forecasts)
    forecasts = reconciler.reconcile(world.hierarchy, forecasts, validation.scale)
    conformal = {level: fit_intervals(validation, forecasts, part) for level, part in world.hierarchy.levels.items()}
    clock.lap("ensemble")
    test = backtest(panel, members, settings.horizon, settings.test)
    metrics, plots = measure(world, test, blends, reconciler, conformal)
    clock.lap("test")
    fitted = [forecaster.fit(panel, settings.horizon) for forecaster in members]
    curve = ReleaseCurve.fit(world.values, world.age(world.end), world.artists)
    boosted = [
        forecaster for forecaster in fitted if isinstance(forecaster, GlobalLightGBM) and forecaster.booster is not None
    ]
    files = {f"{forecaster.name}.onnx": to_onnx(forecaster.booster) for forecaster in boosted}
    extra = {
        "settings": asdict(settings),
        "blends": {level: blend.as_json() for level, blend in blends.items()},
        "reconciler": reconciler.as_json(),
        "conformal": {level: quantiles.as_json() for level, quantiles in conformal.items()},
        "curve": {"curve": curve.curve.tolist(), "everyone": curve.everyone, "pull": curve.pull},
    }
    clock.lap("fit")
    version = register_forecaster(
        home,
        NAME,
        files=files,
        metrics=metrics,
        pulled=future_inputs.pulled,
        inputs=members[0].names(panel),  # type: ignore[attr-defined]
        cutoff=world.end.isoformat(),
        parameters={**asdict(settings), "nodes": len(panel), "days": panel.steps, "trust": reconciler.trust},
        about=_ABOUT,
        extra=extra,
        evidence=evidence_of_tracks(world, test, blends, reconciler, members, settings.test),
    )
    page = report.write(home, NAME, version, metrics, {key: extra[key] for key in ("blends", "reconciler")}, plots)
    clock.lap("registration")
    return ForecastResult(NAME, version, future_inputs.rows, metrics, clock.seconds, page)


def forecast(home: Home) -> dict[str, int]:
    """Forecasts from the end of the data by the champion and writes the forecasts back as features; rows by view.

    Raises:
        BundleError: no version is promoted.
    """
    folder, manifest = read_champion(home, NAME)
    extra = manifest.extra
    settings = Settings(**extra["settings"])
    world = World.load(home)
    members = []
    for forecaster in forecasters(TrendInputs(world), settings, len(world.panel)):
        has_booster = isinstance(forecaster, GlobalLightGBM) and (folder / f"{forecaster.name}.onnx").is_file()
        booster = OnnxBooster((folder / f"{forecaster.name}.onnx").read_bytes()) if has_booster else None
        members.append(replace(forecaster, booster=booster) if isinstance(forecaster, GlobalLightGBM) else forecaster)
    conformal = {level: ConformalQuantiles.from_json(values) for level, values in extra["conformal"].items()}
    curve = extra["curve"]
    forecasts = forecast_levels(
        world,
        members,
        {level: Blend.from_json(values) for level, values in extra["blends"].items()},
        Reconciler.from_json(extra["reconciler"]),
        conformal,
        ReleaseCurve(np.array(curve["curve"]), curve["everyone"], curve["pull"]),
        settings.horizon,
    )
    written = {}
    for level, part in world.hierarchy.levels.items():
        ids = [name.partition(":")[2] for name in world.panel.ids[part]]
        mean, quantiles = forecasts[level]
        written[VIEWS[level]] = write(
            home,
            VIEWS[level],
            [home.tenant] if level == "total" else ids,
            origin=world.end,
            step=DAY,
            steps=range(1, settings.horizon + 1),
            mean=mean,
            quantiles=quantiles,
            model=f"{NAME}:{manifest.version}",
        )
    return written


def _origins(panel: Panel, boosted: Any, backs: Sequence[int], horizon: int) -> list[datetime]:
    """Returns every origin at which the global model needs features."""
    inner = [horizon + boosted.stride * number for number in range(boosted.origins)]
    all_backs = {back + further for back in backs for further in (0, *inner)}
    return [panel.back(back).end for back in sorted(all_backs) if back < panel.steps - 1]


_ABOUT = (
    "Plays a day of tracks, artists, genres and all together: an ensemble chosen on validation, reconciled so that "
    "tracks add up to artists, genres and the total; intervals from its errors. Tracks that nobody has played yet are "
    "forecast from how tracks of their artist began."
)


MODEL = FamilyModel(
    name=NAME,
    family="forecasting",
    about="Plays of tracks, artists, genres and of everybody, day by day, four weeks ahead.",
    services=(
        SERVICE,
        "track_plays_v1",
    ),
    raw=("plays",),
    writes=tuple(VIEWS.values()),
    program=run,
    forecast=forecast,
)
