"""What a listener will play next week, and whether they have left (``user_behavior_forecaster``).

Origins a few days apart; at each, every listener known by then with the features of ``user_behavior_v1`` and their
plays of the last four weeks, day by day, pulled through Feast. Three boosted models: plays in the next 7
days (the median, of log(1 + plays)), how far off that is, and the chance of no play in the next 14 days (churn). The
newest origins are test; those before say how wide intervals are; plays are learned from the rest, the chance from all
before the test, brought in line by listeners that were left out.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_repo.bundle import open_bundle
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.background import background
from training.bundle import BACKGROUND
from training.clock import Clock
from training.datasets import Sample, TrainingSet, training_set
from training.datasets.columns import to_numpy
from training.evaluate import forecast_metrics, probability_metrics
from training.models.base import FamilyModel, Fresh
from training.models.forecasting import report
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.forecasting.user_behavior.model import Chance, Model
from training.models.forecasting.user_behavior.problem import PARAMETERS, BehaviorProblem
from training.models.forecasting.user_behavior.rows import INPUTS, WINDOW, Listeners, Origins, Settings
from training.models.forecasting.written import write
from training.models.lightgbm_onnx import OnnxBooster, to_onnx
from training.validation.evidence import OURS, Evidence

NAME, SERVICE, VIEW = "user_behavior_forecaster", "user_behavior_v1", "user_activity_forecast"
SHOWN = 1_000
"""Rows of the test that the chance of having left is explained by."""


def run(
    home: Home,
    settings: Settings | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> ForecastResult:
    """Train, measure and register. See the module's docstring.

    Args:
        home: the data folder.
        settings: what differs from the defaults.
        parameters: likewise, by name.
        progress: told of each stage.

    Raises:
        InputError: too few days.
    """
    settings = replace(settings or Settings(), **(parameters or {}))
    clock = Clock(progress, 4)
    listeners, origins, pulled = _pulled(home, settings)
    clock.lap("features")
    rows = pulled.data
    learned, tested = (rows.filter(pl.col("back").is_in(backs)) for backs in (origins.rest, origins.test))
    model = _fitted(listeners, learned, origins.calibration, settings)
    metrics = measure(listeners, tested, model, learned, settings)
    clock.lap("test")
    final = _fitted(listeners, rows, origins.test, settings)
    clock.lap("fit")
    left = listeners.left(tested, settings)
    evidence = _evidence(listeners, tested, model, learned, settings)
    sample = Sample.of(pulled, listeners.left(rows, settings))
    shown_rows = listeners.matrix(tested)[:SHOWN]
    moved = background(shown_rows, np.asarray(model.churn.booster.predict(shown_rows, pred_contrib=True)), "churn.onnx")
    version = _register(home, settings, listeners, sample, metrics, final, evidence, moved)
    shown = [report.Reliability(f"no play in {settings.churn_days} days", left, model.churn(listeners.matrix(tested)))]
    page = report.write(home, NAME, version, metrics, asdict(settings), shown)
    clock.lap("registration")
    return ForecastResult(NAME, version, rows.height, metrics, clock.seconds, page)


def _pulled(home: Home, settings: Settings) -> tuple[Listeners, Origins, TrainingSet]:
    """Everybody's history, when they are asked about, and what is known of them then.

    Raises:
        InputError: too few days.
    """
    listeners = Listeners.load(home)
    origins = Origins.of(listeners.origins(settings), settings)
    if origins is None:
        raise InputError(
            expected="at least 50 days of plays",
            found=f"{listeners.values.shape[1]}",
            next_command="python -m transforms import FORMAT PATH  (more days)",
        )
    return listeners, origins, training_set(SERVICE, listeners.spine([*origins.test, *origins.rest]), home=home)


def problem(home: Home, *, progress: Progress = silent) -> BehaviorProblem:
    """What a search of the boosted models asks about.

    Raises:
        InputError: too few days.
    """
    settings = Settings()
    listeners, origins, pulled = _pulled(home, settings)
    rows = pulled.data
    return BehaviorProblem(
        listeners.matrix(rows),
        listeners.left(rows, settings),
        np.array(rows["user_id"].to_list()),
        rows["back"].is_in(origins.test).to_numpy(),
        settings,
    )


def since(home: Home, version: int) -> Fresh:
    """Listeners at origins after a version's cutoff whose future is known by now, and how it did on them."""
    model, manifest = _served(home, version)
    settings = Settings()
    listeners = Listeners.load(home)
    days = (listeners.end - datetime.fromisoformat(manifest["cutoff"])).days
    backs = [back for back in listeners.origins(settings) if back < days]
    if not backs:
        return Fresh({})
    rows = training_set(SERVICE, listeners.spine(backs), home=home).data
    left = listeners.left(rows, settings)
    features = {column.name: to_numpy(column) for column in rows.select(pl.selectors.contains("__"))}
    brier = (model.churn(listeners.matrix(rows)) - left) ** 2
    return Fresh({SERVICE: features}, brier, np.array(rows["user_id"].to_list()))


def measure(
    listeners: Listeners, rows: pl.DataFrame, model: Model, learned: pl.DataFrame, settings: Settings
) -> dict[str, dict[str, Metrics]]:
    """Beside the baselines: last week again, the mean of four weeks; and of churn, its rate by idle days before."""
    inputs = listeners.matrix(rows)
    plays = listeners.ahead(rows, settings.active_days)[:, None]
    week = inputs[:, INPUTS.index("plays_week_1")][:, None]
    month = inputs[:, [INPUTS.index(f"plays_week_{number}") for number in (1, 2, 3, 4)]].mean(axis=1, keepdims=True)
    scale = np.full(len(plays), max(float(np.abs(week - plays).mean()), 1e-9))
    made = model.quantiles(inputs)
    left = listeners.left(rows, settings)
    idle, idle_before = (listeners.matrix(one)[:, INPUTS.index("idle_days")].astype(int) for one in (rows, learned))
    left_before = listeners.left(learned, settings)
    count = np.bincount(idle_before, minlength=WINDOW + 1)
    rate = (np.bincount(idle_before, weights=left_before, minlength=WINDOW + 1) + left_before.mean()) / (count + 1)
    return {
        f"plays in {settings.active_days} days": {
            "user_behavior": forecast_metrics(plays, made[0.5], scale, made),
            "last_week": forecast_metrics(plays, week, scale),
            "mean_4_weeks": forecast_metrics(plays, month, scale),
        },
        f"no play in {settings.churn_days} days": {
            "user_behavior": probability_metrics(left, model.churn(inputs)),
            "rate_by_idle_days": probability_metrics(left, rate[idle]),
            "base_rate": probability_metrics(left, np.full(len(left), left_before.mean())),
        },
    }


def _evidence(
    listeners: Listeners, rows: pl.DataFrame, model: Model, learned: pl.DataFrame, settings: Settings
) -> Evidence:
    """Brier score of the chance of having left, listener by listener at each origin, beside the rate of all."""
    left = listeners.left(rows, settings)
    chance = model.churn(listeners.matrix(rows))
    rate = float(listeners.left(learned, settings).mean())
    names = [f"{user}@{at}" for user, at in rows.select("user_id", pl.col("event_timestamp").dt.date()).iter_rows()]
    return Evidence.of(
        "brier",
        names,
        {OURS: (chance - left) ** 2, "base_rate": (rate - left) ** 2},
        clusters=rows["user_id"].to_list(),
        segments={"plan": rows["user_profile__plan"].to_list()},
        outcome=left,
        chance=chance,
    )


def forecast(home: Home) -> dict[str, int]:
    """What the champion says of every listener at the end of the last full day; rows by view.

    Raises:
        BundleError: nothing is promoted.
    """
    model, manifest = _served(home)
    listeners = Listeners.load(home)
    rows = training_set(SERVICE, listeners.spine([0]), home=home).data
    inputs = listeners.matrix(rows)
    made = model.quantiles(inputs)
    written = write(
        home,
        VIEW,
        rows["user_id"].to_list(),
        origin=listeners.end,
        step=timedelta(days=model.active_days),
        steps=[1],
        mean=made[0.5],
        quantiles=made,
        chance=model.churn(inputs)[:, None],
        model=f"{NAME}:{manifest['version']}",
    )
    return {VIEW: written}


def _served(home: Home, version: int | None = None) -> tuple[Model, Mapping[str, Any]]:
    """A version, or the champion, as its bundle has it; and its manifest."""
    bundle = open_bundle(NAME if version is None else f"{NAME}:{version}", home)
    plays, spread, churn = (OnnxBooster(bundle.read(f"{part}.onnx")) for part in ("plays", "spread", "churn"))
    extra = bundle.manifest["extra"]
    chance = Chance(churn, tuple(extra["platt"]))
    constants = (np.array(extra["errors"]), extra["weights"], extra["settings"]["active_days"])
    return Model(plays, spread, chance, *constants), bundle.manifest


def _fitted(listeners: Listeners, rows: pl.DataFrame, fresh: list[int], settings: Settings) -> Model:
    plays = listeners.ahead(rows, settings.active_days)
    left = listeners.left(rows, settings)
    users = np.array(rows["user_id"].to_list())
    return Model.fit(listeners.matrix(rows), plays, left, rows["back"].to_numpy(), users, fresh, settings)


def _register(
    home: Home,
    settings: Settings,
    listeners: Listeners,
    pulled: Sample,
    metrics: dict[str, dict[str, Metrics]],
    model: Model,
    evidence: Evidence,
    moved: bytes,
) -> int:
    return register_forecaster(
        home,
        NAME,
        files={
            BACKGROUND: moved,
            "plays.onnx": to_onnx(model.plays),
            "spread.onnx": to_onnx(model.spread),
            "churn.onnx": to_onnx(model.churn.booster),
        },
        metrics=metrics,
        pulled=pulled,
        inputs=list(INPUTS),
        cutoff=listeners.end.isoformat(),
        parameters=asdict(settings),
        about="Plays of a listener in the next 7 days, and the chance that none comes in 14; intervals from errors.",
        extra={
            "settings": asdict(settings),
            "columns": list(INPUTS),
            "errors": model.errors.tolist(),
            "platt": model.churn.platt,
            "weights": model.weights,
        },
        evidence=evidence,
    )


MODEL = FamilyModel(
    name=NAME,
    family="forecasting",
    about="What a listener plays next week, and whether they have left.",
    services=(
        SERVICE,
        "user_plays_v1",
    ),
    writes=(VIEW,),
    program=run,
    parameters={name: getattr(Settings(), name) for name in PARAMETERS},
    asks=problem,
    since=since,
    forecast=forecast,
)
