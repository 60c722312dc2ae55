"""What a listener will play next week, and whether they have left (``user_behavior_forecaster``).

Origins a few days apart; at each, every listener known by then with the features of ``user_behavior_v1`` and their
plays of the last four weeks, day by day, pulled through Feast. Three boosted models: plays in the next 7
days (the median, of log(1 + plays)), how far off that is, and the chance of no play in the next 14 days (churn). The
newest origins are test; those before calibrate intervals and chance; the models learn from the rest.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.bundle import read_champion
from training.clock import Clock
from training.datasets import TrainingSet, training_set
from training.datasets.series import history, last_full_day
from training.evaluate import forecast_metrics, probability_metrics
from training.models.base import FamilyModel
from training.models.ensemble import Members, WeightedEnsemble
from training.models.forecasting import report
from training.models.forecasting.conformal import LEVELS, quantiles
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.forecasting.written import write
from training.models.lightgbm_onnx import OnnxBooster, to_onnx
from training.threads import threads
from training.validation.evidence import OURS, Evidence

NAME, SERVICE, VIEW = "user_behavior_forecaster", "user_behavior_v1", "user_activity_forecast"
WINDOW = 28
_NUMBERS = (
    *(f"user_listening__{name}_{window}" for name in ("plays", "skip_rate") for window in ("1d", "7d", "28d")),
    "user_listening__distinct_tracks_28d",
    "user_listening__distinct_artists_28d",
    "user_listening__listening_ms_28d",
    "user_history__distinct_tracks",
)
PLANS = ("free", "premium", "family")
INPUTS = (
    *(f"plays_{day}d_ago" for day in range(1, 15)),
    "plays_week_1",
    "plays_week_2",
    "plays_week_3",
    "plays_week_4",
    "active_days_28d",
    "idle_days",
    "trend",
    "known_days",
    "weekday",
    *(name.partition("__")[2] for name in _NUMBERS),
    *(f"plan_{name}" for name in PLANS),
    "age",
)
"""Columns of a row, in order."""


@dataclass(frozen=True)
class Settings:
    """What a run may vary.

    Attributes:
        active_days: that plays are forecast for.
        churn_days: without any play that count as having left.
        stride: days between origins.
        test: origins to measure on, the newest.
        calibration: origins before those.
        trees: of each model.
        seed: of LightGBM.
    """

    active_days: int = 7
    churn_days: int = 14
    stride: int = 3
    test: int = 2
    calibration: int = 2
    trees: int = 150
    seed: int = 0


@dataclass(frozen=True)
class Listeners:
    """Histories of all listeners.

    Attributes:
        ids: (n,).
        values: (n, t) plays a day, NaN before the first.
        end: the midnight after the last day.
    """

    ids: list[str]
    values: np.ndarray
    end: datetime

    @classmethod
    def load(cls, home: Home) -> "Listeners":
        """Pulled through Feast."""
        end = last_full_day(home)
        return cls(*history(home, "user_plays_v1", "user_listening__plays_1d", "user_id", end=end), end)

    def spine(self, backs: list[int]) -> pl.DataFrame:
        """Every listener known at each origin, so many days before the end."""
        pieces = []
        for back in backs:
            stop = self.values.shape[1] - back
            rows = np.flatnonzero(np.isfinite(self.values[:, stop - 1]))
            pieces.append(
                pl.DataFrame(
                    {
                        "user_id": pl.Series([self.ids[row] for row in rows.tolist()], dtype=pl.String),
                        "row": rows,
                        "back": pl.repeat(back, len(rows), dtype=pl.Int64, eager=True),
                    }
                )
            )
        moment = pl.lit(self.end) - pl.duration(days=pl.col("back"))
        return pl.concat(pieces).with_columns(event_timestamp=moment.cast(pl.Datetime("us", "UTC")))

    def matrix(self, rows: pl.DataFrame) -> np.ndarray:
        """(m, len(INPUTS)) float32 from a pulled spine; NaN for what is not known."""
        stop = self.values.shape[1] - rows["back"].to_numpy()
        padded = np.pad(self.values, ((0, 0), (WINDOW, 0)), constant_values=np.nan)
        days = padded[rows["row"].to_numpy()[:, None], stop[:, None] + WINDOW - 1 - np.arange(WINDOW)]  # newest first
        plays = np.nan_to_num(days)
        weeks = plays.reshape(len(plays), 4, 7).sum(axis=2)
        played = plays > 0
        idle = np.where(played.any(axis=1), played.argmax(axis=1), WINDOW)
        birth = rows["user_profile__birth_year"].cast(pl.Float64).to_numpy()
        columns = [
            *days[:, :14].T,
            *weeks.T,
            played.sum(axis=1),
            idle,
            np.log1p(weeks[:, 0]) - np.log1p(weeks[:, 1]),
            np.isfinite(days).sum(axis=1),
            rows["event_timestamp"].dt.weekday().to_numpy(),
            *(rows[name].cast(pl.Float64).to_numpy() for name in _NUMBERS),
            *((rows["user_profile__plan"] == plan).cast(pl.Float64).to_numpy() for plan in PLANS),
            rows["event_timestamp"].dt.year().to_numpy() - birth,
        ]
        return np.column_stack(columns).astype(np.float32)

    def ahead(self, rows: pl.DataFrame, days: int) -> np.ndarray:
        """(m,) plays in the days after each origin."""
        stop = self.values.shape[1] - rows["back"].to_numpy()
        totals = np.pad(np.nan_to_num(self.values).cumsum(axis=1), ((0, 0), (1, 0)))
        row = rows["row"].to_numpy()
        return totals[row, stop + days] - totals[row, stop]


@dataclass
class Model:
    """Fitted.

    Attributes:
        plays: booster of log(1 + plays).
        spread: of how far off that is.
        churn: of the chance of no play.
        errors: quantiles of the errors, in units of the spread.
        platt: how chances are brought in line with frequencies.
        weights: of the boosted model beside last week and the mean of four weeks.
        active_days: that plays are forecast for.
    """

    plays: Any
    spread: Any
    churn: Any
    errors: np.ndarray
    platt: tuple[float, float]
    weights: dict[str, float]
    active_days: int = 7

    @classmethod
    def fit(
        cls,
        inputs: np.ndarray,
        plays: np.ndarray,
        left: np.ndarray,
        back: np.ndarray,
        fresh: list[int],
        settings: Settings,
    ) -> "Model":
        """Learn from rows of origins ``back`` (m,) days before the end; those of ``fresh`` calibrate."""
        from sklearn.linear_model import LogisticRegression

        new = np.isin(back, fresh)
        old = ~new
        target = np.log1p(plays)
        boosted = _train(inputs[old], target[old], "l1", settings)
        distance = np.abs(target[old] - boosted.predict(inputs[old]))
        spread = _train(inputs[old], np.log(distance + 0.05), "l2", settings)
        churn = _train(inputs[old], left[old], "binary", settings)
        model = cls(boosted, spread, churn, np.zeros(0), (1.0, 0.0), {"boosted": 1.0}, settings.active_days)
        said = model.members(inputs[new])
        until = settings.active_days - int(back[old].min())
        members = Members.out_of_time(
            said,
            target[new],
            happened=settings.active_days - back[new],
            known_until=dict.fromkeys(said, until),
        )
        model.weights = WeightedEnsemble().fit(members).weights
        middle, size = model.middle(inputs[new])
        model.errors = quantiles((target[new] - middle) / size, LEVELS)
        if 0 < left[new].sum() < new.sum():
            fitted = LogisticRegression(C=1e6).fit(_logit(churn.predict(inputs[new]))[:, None], left[new])
            model.platt = (float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))
        return model

    def middle(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,) of log(1 + plays), and how far off it usually is."""
        members = self.members(inputs)
        middle = np.sum([weight * members[name] for name, weight in self.weights.items()], axis=0)
        return middle, np.exp(np.asarray(self.spread.predict(inputs)))

    def members(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Member → (m,) log(1 + plays) of the coming days."""
        weeks = inputs[:, [INPUTS.index(f"plays_week_{number}") for number in (1, 2, 3, 4)]]
        days = self.active_days / 7
        return {
            "boosted": np.asarray(self.plays.predict(inputs)),
            "last_week": np.log1p(days * weeks[:, 0]),
            "mean_4_weeks": np.log1p(days * weeks.mean(axis=1)),
        }

    def chance(self, inputs: np.ndarray) -> np.ndarray:
        """(m,) of having left."""
        slope, constant = self.platt
        return 1 / (1 + np.exp(-(slope * _logit(np.asarray(self.churn.predict(inputs))) + constant)))

    def quantiles(self, inputs: np.ndarray) -> dict[float, np.ndarray]:
        """Level → (m, 1) plays."""
        middle, spread = self.middle(inputs)
        made = np.sort(np.maximum(np.expm1(middle[:, None] + spread[:, None] * self.errors), 0.0), axis=1)
        return {level: made[:, [place]] for place, level in enumerate(LEVELS)}


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> ForecastResult:
    """Train, measure and register. See the module's docstring.

    Raises:
        InputError: too few days.
    """
    settings = settings or Settings()
    clock = Clock(progress, 4)
    listeners = Listeners.load(home)
    longest = max(settings.churn_days, settings.active_days)
    backs = list(range(longest, listeners.values.shape[1] - 7, settings.stride))
    # futures of what is learned from end before the first test origin
    test = backs[: settings.test]
    rest = [back for back in backs if back >= max(test, default=0) + longest]
    calibration, train = rest[: settings.calibration], rest[settings.calibration :]
    if not train:
        raise InputError(
            expected="at least 50 days of plays",
            found=f"{listeners.values.shape[1]}",
            next_command="python -m transforms import FORMAT PATH  (more days)",
        )
    pulled = training_set(SERVICE, listeners.spine([*test, *calibration, *train]), home=home)
    clock.lap("features")
    rows = pulled.data
    learned = rows.filter(pl.col("back").is_in([*calibration, *train]))
    model = _fitted(listeners, learned, calibration, settings)
    metrics = measure(listeners, rows.filter(pl.col("back").is_in(test)), model, learned, settings)
    clock.lap("test")
    final = _fitted(listeners, rows, test, settings)
    clock.lap("fit")
    tested = rows.filter(pl.col("back").is_in(test))
    left = listeners.ahead(tested, settings.churn_days) == 0
    evidence = _evidence(listeners, tested, model, learned, settings)
    version = _register(home, settings, listeners, pulled, metrics, final, evidence)
    shown = [report.Reliability(f"no play in {settings.churn_days} days", left, model.chance(listeners.matrix(tested)))]
    page = report.write(home, NAME, version, metrics, asdict(settings), shown)
    clock.lap("registration")
    return ForecastResult(NAME, version, rows.height, metrics, clock.seconds, page)


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
    left = listeners.ahead(rows, settings.churn_days) == 0
    idle, idle_before = (listeners.matrix(one)[:, INPUTS.index("idle_days")].astype(int) for one in (rows, learned))
    left_before = listeners.ahead(learned, settings.churn_days) == 0
    count = np.bincount(idle_before, minlength=WINDOW + 1)
    rate = (np.bincount(idle_before, weights=left_before, minlength=WINDOW + 1) + left_before.mean()) / (count + 1)
    return {
        f"plays in {settings.active_days} days": {
            "user_behavior": forecast_metrics(plays, made[0.5], scale, made),
            "last_week": forecast_metrics(plays, week, scale),
            "mean_4_weeks": forecast_metrics(plays, month, scale),
        },
        f"no play in {settings.churn_days} days": {
            "user_behavior": probability_metrics(left, model.chance(inputs)),
            "rate_by_idle_days": probability_metrics(left, rate[idle]),
            "base_rate": probability_metrics(left, np.full(len(left), left_before.mean())),
        },
    }


def _evidence(
    listeners: Listeners, rows: pl.DataFrame, model: Model, learned: pl.DataFrame, settings: Settings
) -> Evidence:
    """Brier score of the chance of having left, listener by listener at each origin, beside the rate of all."""
    left = (listeners.ahead(rows, settings.churn_days) == 0).astype(float)
    chance = model.chance(listeners.matrix(rows))
    rate = float((listeners.ahead(learned, settings.churn_days) == 0).mean())
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
    folder, manifest = read_champion(home, NAME)
    boosters = [OnnxBooster((folder / f"{part}.onnx").read_bytes()) for part in ("plays", "spread", "churn")]
    plays, spread, churn = boosters
    extra = manifest.extra
    constants = (np.array(extra["errors"]), tuple(extra["platt"]), extra["weights"], extra["settings"]["active_days"])
    model = Model(plays, spread, churn, *constants)
    listeners = Listeners.load(home)
    rows = training_set(SERVICE, listeners.spine([0]), home=home).data
    inputs = listeners.matrix(rows)
    made = model.quantiles(inputs)
    written = write(
        home,
        VIEW,
        rows["user_id"].to_list(),
        origin=listeners.end,
        step=timedelta(days=manifest.extra["settings"]["active_days"]),
        steps=[1],
        mean=made[0.5],
        quantiles=made,
        chance=model.chance(inputs)[:, None],
        model=f"{NAME}:{manifest.version}",
    )
    return {VIEW: written}


def _fitted(listeners: Listeners, rows: pl.DataFrame, fresh: list[int], settings: Settings) -> Model:
    plays = listeners.ahead(rows, settings.active_days)
    left = (listeners.ahead(rows, settings.churn_days) == 0).astype(np.float64)
    return Model.fit(listeners.matrix(rows), plays, left, rows["back"].to_numpy(), fresh, settings)


def _register(
    home: Home,
    settings: Settings,
    listeners: Listeners,
    pulled: TrainingSet,
    metrics: dict[str, dict[str, Metrics]],
    model: Model,
    evidence: Evidence,
) -> int:
    return register_forecaster(
        home,
        NAME,
        files={f"{part}.onnx": to_onnx(getattr(model, part)) for part in ("plays", "spread", "churn")},
        metrics=metrics,
        pulled=pulled.manifest,
        inputs=list(INPUTS),
        cutoff=listeners.end.isoformat(),
        parameters=asdict(settings),
        about="Plays of a listener in the next 7 days, and the chance that none comes in 14; intervals from errors.",
        extra={
            "settings": asdict(settings),
            "errors": model.errors.tolist(),
            "platt": model.platt,
            "weights": model.weights,
        },
        evidence=evidence,
    )


def _train(inputs: np.ndarray, target: np.ndarray, objective: str, settings: Settings) -> Any:
    import lightgbm

    parameters = {
        "objective": objective,
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": 50 if len(target) > 5_000 else 10,
        "feature_fraction": 0.7,
        "num_threads": threads(),
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(inputs, target), settings.trees)


def _logit(chance: np.ndarray) -> np.ndarray:
    clipped = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


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
    forecast=forecast,
)
