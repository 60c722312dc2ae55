"""Whether a listener leaves, under attack: the chance of the forecaster, fitted to the origins before the test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.estimators.lightgbm_trees import LightGbmFitted
from training.models.forecasting.user_behavior.model import Chance
from training.models.forecasting.user_behavior.rows import INPUTS, PLANS
from training.models.forecasting.user_behavior.run import NAME, problem
from training.robustness.subject import Request, Subject
from training.robustness.subjects.rows import binary_target
from training.robustness.target import Target

FIXED = ("known_days", "weekday", "age", *(f"plan_{name}" for name in PLANS))
"""Inputs that a listener cannot change by listening."""


@dataclass(frozen=True)
class _Calibrated(LightGbmFitted):
    """Boosted trees whose chances are calibrated."""

    chance: Chance

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self.chance(inputs)


def targets(request: Request) -> Sequence[Target[Any]]:
    """Fits as the test was measured, and returns its listeners.

    Raises:
        InputError: there are too few days.
    """
    data = problem(request.home)
    train, test = np.flatnonzero(~data.tested), np.flatnonzero(data.tested)
    chance = Chance.fit(data.inputs[train], data.left[train], data.users[train], data.settings)
    fitted = _Calibrated(chance.booster, chance)
    movable = np.array([name not in FIXED for name in INPUTS])
    judged = f"Held out by time: fitted to {len(train):,} rows, asked about {len(test):,} later ones."
    learned, labels = data.inputs[train], data.left[train].astype(float)
    inputs, left = data.inputs[test], data.left[test].astype(float)
    return [binary_target(fitted, learned, labels, inputs, left, movable, data.users[test], judged, request.seed)]


SUBJECT = Subject(NAME, ("rows",), targets)
