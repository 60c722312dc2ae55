"""Rows of listeners at origins, pulled once: the search of the boosted models, and the worth of feature views."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from training.models.forecasting.user_behavior.model import Model, Settings
from training.models.forecasting.user_behavior.rows import INPUTS, VIEWS, Origins
from training.models.problem import Problem

if TYPE_CHECKING:
    import optuna

PARAMETERS = ("trees", "learning_rate", "leaves", "least_rows", "columns")
"""Of the settings, that a run may be given."""
MOST = 3
"""Periods that a search asks about."""


@dataclass(frozen=True)
class BehaviorProblem(Problem):
    """Brier score of the chance of having left.

    Attributes:
        inputs: (n, ``len(INPUTS)``) float32.
        plays: (n,) of the coming days.
        left: (n,) 0 or 1.
        backs: (n,) days from a row's origin to the end.
        users: (n,) whose each is.
        settings: as they are declared.
    """

    inputs: np.ndarray
    plays: np.ndarray
    left: np.ndarray
    backs: np.ndarray
    users: np.ndarray
    settings: Settings

    @property
    def folds(self) -> int:
        """Pairs of origins before the test that have enough before them."""
        return len(self._periods) - 1

    @property
    def default(self) -> dict[str, Any]:
        """As they are declared."""
        told = asdict(self.settings)
        return {name: told[name] for name in PARAMETERS}

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
        """Mean over the listeners of a period, the oldest first."""
        return float(self._losses(self._periods[-1 - fold], parameters, ())[0].mean())

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Listener by listener at each origin."""
        return self._losses(self._periods[0], parameters, without)

    @property
    def _periods(self) -> list[Origins]:
        """The test, and the origins before it, so many at a time."""
        found: list[Origins] = []
        backs: list[int] = np.unique(self.backs).tolist()
        while len(found) <= MOST and (period := Origins.of(backs, self.settings)) is not None:
            found.append(period)
            backs = period.rest
        return found

    def _losses(
        self, period: Origins, parameters: dict[str, Any], without: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        settings = replace(self.settings, **parameters)
        gone = [INPUTS.index(name) for view in without for name in VIEWS[view]]
        inputs = self.inputs.copy() if gone else self.inputs
        inputs[:, gone] = np.nan
        learned = np.isin(self.backs, [*period.calibration, *period.train])
        seen, plays, left, backs = (one[learned] for one in (inputs, self.plays, self.left, self.backs))
        model = Model.fit(seen, plays, left, backs, period.calibration, settings)
        asked = np.isin(self.backs, period.test)
        return (model.chance(inputs[asked]) - self.left[asked]) ** 2, self.users[asked]
