"""Trains, evaluates and applies the forecaster of listeners' plays and churn (``user_behavior_forecaster``).

Origins are a few days apart. The spine has a row for every listener known at each origin, with the features of
``user_behavior_v1`` and the plays of each of the last 28 days, pulled through Feast. There are three boosted models:
median log(1 + plays) of the next 7 days, its usual error, and the chance of no play in the next 14 days (churn). The
newest origins are the test, those before them calibrate the intervals, and the rest trains the models of plays. The
chance is trained on all origins before the test and calibrated on left-out listeners.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_repo.bundle import BACKGROUND, open_bundle
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.background import background
from training.clock import Clock
from training.datasets import Sample, TrainingSet, training_set
from training.datasets.columns import to_numpy
from training.evaluate import forecast_metrics, probability_metrics
from training.fairness.people import groups_of
from training.fairness.settings import settings_of
from training.models.base import FamilyModel, Fresh, Gates
from training.models.forecasting import report
from training.models.forecasting.forecast_rows import write
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.forecasting.user_behavior.model import Chance, Model
from training.models.forecasting.user_behavior.problem import PARAMETERS, BehaviorProblem
from training.models.forecasting.user_behavior.rows import INPUTS, WINDOW, Listeners, Origins, Settings
from training.models.lightgbm_onnx import OnnxBooster, to_onnx
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence

NAME, SERVICE, VIEW = "user_behavior_forecaster", "user_behavior_v1", "user_activity_forecast"
EXPLAINED = 1_000
"""Number of rows of the test for which the feature contributions to the chance of having left are computed."""


def run(
    home: Home,
    settings: Settings | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> ForecastResult:
    """Trains, evaluates and registers the model. See the module's docstring.

    Args:
        home: the data folder.
        settings: settings of the run; None for the defaults.
        parameters: settings by name that differ from ``settings``.
        progress: callback for the progress of each stage.

    Raises:
        InputError: there are too few days.
    """
    settings = replace(settings or Settings(), **(parameters or {}))
    clock = Clock(progress, 4)
    listeners, origins, pulled = _pull_features(home, settings)
    clock.lap("features")
    rows = pulled.data
    train, test = (rows.filter(pl.col("back").is_in(backs)) for backs in (origins.before_test, origins.test))
    model = _fit_model(listeners, train, origins.calibration, settings)
    metrics = measure(listeners, test, model, train, settings)
    clock.lap("test")
    final_model = _fit_model(listeners, rows, origins.test, settings)
    clock.lap("fit")
    left = listeners.left(test, settings)
    evidence = _evidence(listeners, test, model, train, settings, _groups(home, test))
    sample = Sample.of(pulled, listeners.left(rows, settings))
    explained_rows = listeners.matrix(test)[:EXPLAINED]
    contributions = background(
        explained_rows, np.asarray(model.churn.booster.predict(explained_rows, pred_contrib=True)), "churn.onnx"
    )
    version = _register(home, settings, listeners, sample, metrics, final_model, evidence, contributions)
    plots = [report.Reliability(f"no play in {settings.churn_days} days", left, model.churn(listeners.matrix(test)))]
    page = report.write(home, NAME, version, metrics, asdict(settings), plots)
    clock.lap("registration")
    return ForecastResult(NAME, version, rows.height, metrics, clock.seconds, page)


def _pull_features(home: Home, settings: Settings) -> tuple[Listeners, Origins, TrainingSet]:
    """Pulls the histories of all listeners, chooses the origins, and pulls the features as of these.

    Raises:
        InputError: there are too few days.
    """
    listeners = Listeners.load(home)
    origins = Origins.of(listeners.origins(settings), settings)
    if origins is None:
        raise InputError(
            expected="at least 50 days of plays",
            found=f"{listeners.values.shape[1]}",
            next_command="refrain import FORMAT PATH  (more days)",
        )
    return listeners, origins, training_set(SERVICE, listeners.spine([*origins.test, *origins.before_test]), home=home)


def problem(home: Home, *, progress: Progress = silent) -> BehaviorProblem:
    """Prepares the training data of the boosted models for a search.

    Raises:
        InputError: there are too few days.
    """
    settings = Settings()
    listeners, origins, pulled = _pull_features(home, settings)
    rows = pulled.data
    return BehaviorProblem(
        listeners.matrix(rows),
        listeners.left(rows, settings),
        np.array(rows["user_id"].to_list()),
        rows["back"].is_in(origins.test).to_numpy(),
        settings,
    )


def since(home: Home, version: int) -> Fresh:
    """Returns features and losses at origins after a version's cutoff whose labels are known by now."""
    model, manifest = _load_model(home, version)
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
    listeners: Listeners, rows: pl.DataFrame, model: Model, train: pl.DataFrame, settings: Settings
) -> dict[str, dict[str, Metrics]]:
    """Evaluates beside baselines: last week and the mean of four weeks; for churn, its past rate by idle days."""
    inputs = listeners.matrix(rows)
    plays = listeners.ahead(rows, settings.active_days)[:, None]
    last_week = inputs[:, INPUTS.index("plays_week_1")][:, None]
    mean_4_weeks = inputs[:, [INPUTS.index(f"plays_week_{number}") for number in (1, 2, 3, 4)]].mean(
        axis=1, keepdims=True
    )
    scale = np.full(len(plays), max(float(np.abs(last_week - plays).mean()), 1e-9))
    quantiles = model.quantiles(inputs)
    left = listeners.left(rows, settings)
    rates = _rates_by_idle_days(listeners, rows, train, settings)
    left_before = listeners.left(train, settings)
    return {
        f"plays in {settings.active_days} days": {
            "user_behavior": forecast_metrics(plays, quantiles[0.5], scale, quantiles),
            "last_week": forecast_metrics(plays, last_week, scale),
            "mean_4_weeks": forecast_metrics(plays, mean_4_weeks, scale),
        },
        f"no play in {settings.churn_days} days": {
            "user_behavior": probability_metrics(left, model.churn(inputs)),
            "rate_by_idle_days": probability_metrics(left, rates),
            "base_rate": probability_metrics(left, np.full(len(left), left_before.mean())),
        },
    }


def _rates_by_idle_days(
    listeners: Listeners, rows: pl.DataFrame, train: pl.DataFrame, settings: Settings
) -> np.ndarray:
    """Returns (n,) the past rate of having left after as many idle days."""
    idle, idle_before = (listeners.matrix(part)[:, INPUTS.index("idle_days")].astype(int) for part in (rows, train))
    left_before = listeners.left(train, settings)
    count = np.bincount(idle_before, minlength=WINDOW + 1)
    rates = (np.bincount(idle_before, weights=left_before, minlength=WINDOW + 1) + left_before.mean()) / (count + 1)
    return np.asarray(rates[idle])


def _groups(home: Home, rows: pl.DataFrame) -> dict[str, np.ndarray]:
    """Returns division → (n,) group of the listener of each row, as of its time."""
    times = rows["event_timestamp"].dt.epoch("us").to_numpy()
    return groups_of(home, settings_of(home, NAME).groups, "user_id", rows["user_id"].to_list(), times)


def _evidence(
    listeners: Listeners,
    rows: pl.DataFrame,
    model: Model,
    train: pl.DataFrame,
    settings: Settings,
    groups: Mapping[str, np.ndarray],
) -> Evidence:
    """Returns the Brier score of the chance of having left for each listener and origin, beside two simple rates.

    The floor is a fit to permuted labels.
    """
    left = listeners.left(rows, settings)
    chance = model.churn(listeners.matrix(rows))
    rate = float(listeners.left(train, settings).mean())
    by_idle_days = _rates_by_idle_days(listeners, rows, train, settings)
    permuted = np.random.default_rng(settings.seed).permutation(listeners.left(train, settings))
    floor = Chance.fit(listeners.matrix(train), permuted, np.array(train["user_id"].to_list()), settings)
    names = [f"{user}@{day}" for user, day in rows.select("user_id", pl.col("event_timestamp").dt.date()).iter_rows()]
    return Evidence.of(
        "brier",
        names,
        {
            MODEL_KEY: (chance - left) ** 2,
            "base_rate": (rate - left) ** 2,
            "rate_by_idle_days": (by_idle_days - left) ** 2,
            PERMUTED: (floor(listeners.matrix(rows)) - left) ** 2,
        },
        clusters=rows["user_id"].to_list(),
        segments={**groups, "plan": rows["user_profile__plan"].to_list()},
        outcome=left,
        chance=chance,
    )


def forecast(home: Home) -> dict[str, int]:
    """Forecasts every listener at the end of the last full day by the champion and writes the forecasts back.

    Returns:
        View → number of rows.

    Raises:
        BundleError: no version is promoted.
    """
    model, manifest = _load_model(home)
    listeners = Listeners.load(home)
    rows = training_set(SERVICE, listeners.spine([0]), home=home).data
    inputs = listeners.matrix(rows)
    quantiles = model.quantiles(inputs)
    written = write(
        home,
        VIEW,
        rows["user_id"].to_list(),
        origin=listeners.end,
        step=timedelta(days=model.active_days),
        steps=[1],
        mean=quantiles[0.5],
        quantiles=quantiles,
        chance=model.churn(inputs)[:, None],
        model=f"{NAME}:{manifest['version']}",
    )
    return {VIEW: written}


def _load_model(home: Home, version: int | None = None) -> tuple[Model, Mapping[str, Any]]:
    """Loads a version (None: the champion) from its bundle; returns the model and its manifest."""
    bundle = open_bundle(NAME if version is None else f"{NAME}:{version}", home)
    plays, spread, churn = (OnnxBooster(bundle.read(f"{part}.onnx")) for part in ("plays", "spread", "churn"))
    extra = bundle.manifest["extra"]
    chance = Chance(churn, tuple(extra["platt"]))
    constants = (np.array(extra["errors"]), extra["weights"], extra["settings"]["active_days"])
    return Model(plays, spread, chance, *constants), bundle.manifest


def _fit_model(listeners: Listeners, rows: pl.DataFrame, fresh: list[int], settings: Settings) -> Model:
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
    contributions: bytes,
) -> int:
    return register_forecaster(
        home,
        NAME,
        files={
            BACKGROUND: contributions,
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
    raw=("plays",),
    writes=(VIEW,),
    gates=Gates(plain={"rate_by_idle_days": 0.05}),
    program=run,
    parameters={name: getattr(Settings(), name) for name in PARAMETERS},
    make_problem=problem,
    since=since,
    forecast=forecast,
)
