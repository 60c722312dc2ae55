"""The training data of listeners, pulled once, for the search of parameters and the ablation of feature views."""

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
"""Fields of ``Settings`` that are parameters of a run."""


@dataclass(frozen=True)
class BehaviorProblem(Problem):
    """The Brier score of the chance of having left; folds are listeners at the origins before the test.

    Attributes:
        inputs: (n, ``len(INPUTS)``) float32 inputs.
        left: (n,) label, 1 if the listener has left, else 0.
        users: (n,) listener of each row.
        tested: (n,) whether the origin of the row is in the test.
        settings: declared settings of the boosted models.
    """

    inputs: np.ndarray
    left: np.ndarray
    users: np.ndarray
    tested: np.ndarray
    settings: Settings

    @property
    def folds(self) -> int:
        """The number of folds of the listeners."""
        return len(self._parts)

    @property
    def default(self) -> dict[str, Any]:
        """The declared parameters."""
        return {name: getattr(self.settings, name) for name in PARAMETERS}

    @property
    def views(self) -> tuple[str, ...]:
        """The feature views that can be left out; daily plays are a history of one of them and always stay."""
        return tuple(VIEWS)

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests parameters of LightGBM for a trial."""
        return {
            "trees": trial.suggest_int("trees", 40, 400, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "leaves": trial.suggest_int("leaves", 4, 63, log=True),
            "least_rows": trial.suggest_int("least_rows", 10, 300, log=True),
            "columns": trial.suggest_float("columns", 0.3, 1.0),
        }

    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Trains without a fold of the listeners and returns the mean loss on it."""
        return float(self._losses(*self._parts[fold], self.inputs, parameters).mean())

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Trains on all but the test; returns loss and listener of each row of the test."""
        inputs = self.inputs
        if without:
            inputs = inputs.copy()
            inputs[:, [INPUTS.index(name) for view in without for name in VIEWS[view]]] = np.nan
        train_rows, test_rows = np.flatnonzero(~self.tested), np.flatnonzero(self.tested)
        return self._losses(train_rows, test_rows, inputs, parameters), self.users[test_rows]

    @cached_property
    def _parts(self) -> list[Fold]:
        """The folds of the rows before the test: rows to train on, and rows of the held-out listeners."""
        before = np.flatnonzero(~self.tested)
        return [
            (before[train], before[held_out])
            for train, held_out in grouped(self.users[before], FOLDS, seed=self.settings.seed)
        ]

    def _losses(
        self, train_rows: np.ndarray, test_rows: np.ndarray, inputs: np.ndarray, parameters: dict[str, Any]
    ) -> np.ndarray:
        settings = replace(self.settings, **parameters)
        chance = Chance.fit(inputs[train_rows], self.left[train_rows], self.users[train_rows], settings)
        return (chance(inputs[test_rows]) - self.left[test_rows]) ** 2
