"""Three boosted models: median log(1 + plays) of the coming days, its usual error, and the chance of churn."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.models.ensemble import Members, WeightedEnsemble
from training.models.forecasting.conformal import LEVELS, quantiles
from training.models.forecasting.user_behavior.rows import INPUTS, Settings
from training.threads import threads
from training.validation.cross_validation import grouped

FOLDS = 3
"""Number of folds of the listeners; each is left out once."""


@dataclass(frozen=True)
class Chance:
    """The chance that a listener has left.

    Attributes:
        booster: booster of the uncalibrated chance.
        platt: slope and constant of the calibration in log-odds (J. Platt, 1999).
    """

    booster: Any
    platt: tuple[float, float]

    @classmethod
    def fit(cls, inputs: np.ndarray, left: np.ndarray, users: np.ndarray, settings: Settings) -> "Chance":
        """Learns from all rows (m, d), and calibrates the chance on listeners that were left out.

        The newest origins are not used for calibration: many listeners may leave in the same week.
        """
        from sklearn.linear_model import LogisticRegression

        booster = _train(inputs, left, "binary", settings)
        out_of_fold = np.full(len(left), np.nan)
        for train_rows, held_out in grouped(users, FOLDS, seed=settings.seed):
            if 0 < left[train_rows].sum() < len(train_rows):
                out_of_fold[held_out] = _train(inputs[train_rows], left[train_rows], "binary", settings).predict(
                    inputs[held_out]
                )
        predicted = np.isfinite(out_of_fold)
        if len(np.unique(left[predicted])) < 2:
            return cls(booster, (1.0, 0.0))
        regression = LogisticRegression(C=1e6).fit(_logit(out_of_fold[predicted])[:, None], left[predicted])
        return cls(booster, (float(regression.coef_[0, 0]), float(regression.intercept_[0])))

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts the calibrated chance, (m,), from inputs (m, d)."""
        slope, constant = self.platt
        return 1 / (1 + np.exp(-(slope * _logit(np.asarray(self.booster.predict(inputs))) + constant)))


@dataclass
class Model:
    """The fitted models of plays and churn.

    Attributes:
        plays: booster of log(1 + plays).
        spread: booster of the logarithm of the usual error of ``plays``.
        churn: model of the chance of no play.
        errors: quantiles of the errors, in units of the usual error.
        weights: weights of the boosted model, last week, and the mean of four weeks.
        active_days: number of days for which plays are forecast.
    """

    plays: Any
    spread: Any
    churn: "Chance"
    errors: np.ndarray
    weights: dict[str, float]
    active_days: int = 7

    @classmethod
    def fit(
        cls,
        inputs: np.ndarray,
        plays: np.ndarray,
        left: np.ndarray,
        back: np.ndarray,
        users: np.ndarray,
        fresh: list[int],
        settings: Settings,
    ) -> "Model":
        """Learns from rows of origins ``back`` (m,) days before the end.

        The origins in ``fresh`` are used for the calibration of weights and intervals.
        """
        is_calibration = np.isin(back, fresh)
        is_train = ~is_calibration
        target = np.log1p(plays)
        plays_booster = _train(inputs[is_train], target[is_train], "l1", settings)
        distance = np.abs(target[is_train] - plays_booster.predict(inputs[is_train]))
        spread = _train(inputs[is_train], np.log(distance + 0.05), "l2", settings)
        churn = Chance.fit(inputs, left, users, settings)
        model = cls(plays_booster, spread, churn, np.zeros(0), {"boosted": 1.0}, settings.active_days)
        member_forecasts = model.members(inputs[is_calibration])
        until = settings.active_days - int(back[is_train].min())
        members = Members.out_of_time(
            member_forecasts,
            target[is_calibration],
            happened=settings.active_days - back[is_calibration],
            known_until=dict.fromkeys(member_forecasts, until),
        )
        model.weights = WeightedEnsemble().fit(members).weights
        middle, size = model.middle(inputs[is_calibration])
        model.errors = quantiles((target[is_calibration] - middle) / size, LEVELS)
        return model

    def middle(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predicts the median of log(1 + plays), (m,), and its usual error, (m,)."""
        members = self.members(inputs)
        middle = np.sum([weight * members[name] for name, weight in self.weights.items()], axis=0)
        return middle, np.exp(np.asarray(self.spread.predict(inputs)))

    def members(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Predicts member → log(1 + plays) of the coming days, (m,)."""
        weeks = inputs[:, [INPUTS.index(f"plays_week_{number}") for number in (1, 2, 3, 4)]]
        days = self.active_days / 7
        return {
            "boosted": np.asarray(self.plays.predict(inputs)),
            "last_week": np.log1p(days * weeks[:, 0]),
            "mean_4_weeks": np.log1p(days * weeks.mean(axis=1)),
        }

    def quantiles(self, inputs: np.ndarray) -> dict[float, np.ndarray]:
        """Computes level → quantiles of the plays, (m, 1)."""
        middle, spread = self.middle(inputs)
        values = np.sort(np.maximum(np.expm1(middle[:, None] + spread[:, None] * self.errors), 0.0), axis=1)
        return {level: values[:, [column]] for column, level in enumerate(LEVELS)}


def _train(inputs: np.ndarray, target: np.ndarray, objective: str, settings: Settings) -> Any:
    import lightgbm

    parameters = {
        "objective": objective,
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.least_rows if len(target) > 5_000 else 10,
        "feature_fraction": settings.columns,
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
