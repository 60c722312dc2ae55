"""Rows of listeners at origins, pulled once: the search of the boosted models, and the worth of feature views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from training.models.forecasting.user_behavior.model import FOLDS, Chance
from training.models.forecasting.user_behavior.rows import INPUTS, VIEWS, Settings
from training.models.problem import Problem
from training.validation.cross_validation import Fold, grouped

if TYPE_CHECKING:
    import optuna

PARAMETERS = ("trees", "learning_rate", "leaves", "least_rows", "columns")
"""Of the settings, that a run may be given."""


@dataclass(frozen=True)
class BehaviorProblem(Problem):
    """Brier score of the chance of having left; a search leaves listeners out of the origins before the test.

    Attributes:
        inputs: (n, ``len(INPUTS)``) float32.
        left: (n,) 0 or 1.
        users: (n,) whose each is.
        tested: (n,) whether its origin is in the test.
        settings: as they are declared.
    """

    inputs: np.ndarray
    left: np.ndarray
    users: np.ndarray
    tested: np.ndarray
    settings: Settings

    @property
    def folds(self) -> int:
        """Parts of the listeners."""
        return len(self._parts)

    @property
    def default(self) -> dict[str, Any]:
        """As they are declared."""
        return {name: getattr(self.settings, name) for name in PARAMETERS}

    @property
    def views(self) -> tuple[str, ...]:
        """Of the feature service; plays by day are a history of one of them, and stay."""
        return tuple(VIEWS)

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Of LightGBM."""
        return {
            "trees": trial.suggest_int("trees", 40, 400, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "leaves": trial.suggest_int("leaves", 4, 63, log=True),
            "least_rows": trial.suggest_int("least_rows", 10, 300, log=True),
            "columns": trial.suggest_float("columns", 0.3, 1.0),
        }

    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Mean over a part of the listeners."""
        return float(self._losses(*self._parts[fold], self.inputs, parameters).mean())

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Listener by listener at each origin of the test."""
        inputs = self.inputs
        if without:
            inputs = inputs.copy()
            inputs[:, [INPUTS.index(name) for view in without for name in VIEWS[view]]] = np.nan
        learned, asked = np.flatnonzero(~self.tested), np.flatnonzero(self.tested)
        return self._losses(learned, asked, inputs, parameters), self.users[asked]

    @cached_property
    def _parts(self) -> list[Fold]:
        """Rows before the test, of some listeners to learn from and of the others to ask about."""
        before = np.flatnonzero(~self.tested)
        return [(before[one], before[two]) for one, two in grouped(self.users[before], FOLDS, seed=self.settings.seed)]

    def _losses(
        self, learned: np.ndarray, asked: np.ndarray, inputs: np.ndarray, parameters: dict[str, Any]
    ) -> np.ndarray:
        settings = replace(self.settings, **parameters)
        chance = Chance.fit(inputs[learned], self.left[learned], self.users[learned], settings)
        return (chance(inputs[asked]) - self.left[asked]) ** 2
