"""Three boosted models: plays of the coming days (the median, of log(1 + plays)), how far off that is, and whether none
comes in the days after."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.models.ensemble import Members, WeightedEnsemble
from training.models.forecasting.conformal import LEVELS, quantiles
from training.models.forecasting.user_behavior.rows import INPUTS, Settings
from training.threads import threads
from training.validation.cross_validation import grouped

FOLDS = 3
"""Parts of the listeners, each of which is left out once."""


@dataclass(frozen=True)
class Chance:
    """Of having left.

    Attributes:
        booster: says it.
        platt: how it is brought in line with frequencies: slope and constant in log-odds (J. Platt, 1999).
    """

    booster: Any
    platt: tuple[float, float]

    @classmethod
    def fit(cls, inputs: np.ndarray, left: np.ndarray, users: np.ndarray, settings: Settings) -> "Chance":
        """Learn from all rows (m, d), brought in line by what is said of listeners that were left out.

        Not by the newest origins: these may lie in a week in which many left at once.
        """
        from sklearn.linear_model import LogisticRegression

        booster = _train(inputs, left, "binary", settings)
        said = np.full(len(left), np.nan)
        for learned, asked in grouped(users, FOLDS, seed=settings.seed):
            if 0 < left[learned].sum() < len(learned):
                said[asked] = _train(inputs[learned], left[learned], "binary", settings).predict(inputs[asked])
        told = np.isfinite(said)
        if len(np.unique(left[told])) < 2:
            return cls(booster, (1.0, 0.0))
        fitted = LogisticRegression(C=1e6).fit(_logit(said[told])[:, None], left[told])
        return cls(booster, (float(fitted.coef_[0, 0]), float(fitted.intercept_[0])))

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """(m,) of rows (m, d)."""
        slope, constant = self.platt
        return 1 / (1 + np.exp(-(slope * _logit(np.asarray(self.booster.predict(inputs))) + constant)))


@dataclass
class Model:
    """Fitted.

    Attributes:
        plays: booster of log(1 + plays).
        spread: of how far off that is.
        churn: the chance of no play.
        errors: quantiles of the errors, in units of the spread.
        weights: of the boosted model beside last week and the mean of four weeks.
        active_days: that plays are forecast for.
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
        """Learn from rows of origins ``back`` (m,) days before the end.

        Those of ``fresh`` say how wide the intervals are.
        """
        new = np.isin(back, fresh)
        old = ~new
        target = np.log1p(plays)
        boosted = _train(inputs[old], target[old], "l1", settings)
        distance = np.abs(target[old] - boosted.predict(inputs[old]))
        spread = _train(inputs[old], np.log(distance + 0.05), "l2", settings)
        churn = Chance.fit(inputs, left, users, settings)
        model = cls(boosted, spread, churn, np.zeros(0), {"boosted": 1.0}, settings.active_days)
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

    def quantiles(self, inputs: np.ndarray) -> dict[float, np.ndarray]:
        """Level → (m, 1) plays."""
        middle, spread = self.middle(inputs)
        made = np.sort(np.maximum(np.expm1(middle[:, None] + spread[:, None] * self.errors), 0.0), axis=1)
        return {level: made[:, [place]] for place, level in enumerate(LEVELS)}


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
