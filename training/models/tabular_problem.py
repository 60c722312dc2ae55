"""Labelled rows, pulled once, for a search over learners and their parameters and for the worth of feature views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from training.estimators import learner as find_learner
from training.estimators.base import Kind
from training.models.problem import Problem
from training.validation.cross_validation import Fold

if TYPE_CHECKING:
    import optuna


def losses(kind: Kind, answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) of each row: log loss of chances, absolute error of numbers."""
    if kind == "number":
        return np.abs(answers - labels)
    safe = np.clip(answers, 1e-6, 1 - 1e-6)
    return -np.where(labels > 0, np.log(safe), np.log1p(-safe))


@dataclass(frozen=True)
class TabularProblem(Problem):
    """Rows of a model of rows.

    Attributes:
        kind: of label.
        inputs: (n, d) float32.
        columns: (d,) names, ``view__feature`` and what a layout makes of it.
        labels: (n,).
        clusters: (n,) what is resampled as one.
        learned: places that the test learns from.
        asked: places that it asks about.
        periods: folds within ``learned``, as places in it.
        learners: among which a search looks.
        own: learner and parameters of the model as it is declared.
        without: features or views that were left out before.
        seed: of learners.
    """

    kind: Kind
    inputs: np.ndarray
    columns: tuple[str, ...]
    labels: np.ndarray
    clusters: np.ndarray
    learned: np.ndarray
    asked: np.ndarray
    periods: tuple[Fold, ...]
    learners: tuple[str, ...]
    own: tuple[str, Mapping[str, Any]]
    without: tuple[str, ...]
    seed: int

    @property
    def folds(self) -> int:
        """Past periods."""
        return len(self.periods)

    @property
    def default(self) -> dict[str, Any]:
        """Of the model's own learner."""
        return self._told(*self.own)

    @property
    def first(self) -> list[dict[str, Any]]:
        """The defaults of each learner, the model's own before all."""
        ordered = sorted(self.learners, key=lambda one: one != self.own[0])
        told = {one: dict(self.own[1]) if one == self.own[0] else dict(find_learner(one).defaults) for one in ordered}
        return [{"learner": one, **{f"{one}_{name}": value for name, value in told[one].items()}} for one in ordered]

    @property
    def views(self) -> tuple[str, ...]:
        """Of its columns, where there are two or more."""
        found = tuple(dict.fromkeys(name.partition("__")[0] for name in self.columns))
        return found if len(found) > 1 else ()

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """A learner, and parameters of it."""
        learner = trial.suggest_categorical("learner", sorted(self.learners))
        return self._told(learner, find_learner(learner).suggest(_Prefixed(trial, f"{learner}_")))  # type: ignore[arg-type]

    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Mean of a past period."""
        seen, answers, asked, truth = self._parts[fold]
        return float(losses(self.kind, self._answers(seen, answers, asked, parameters), truth).mean())

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Row by row."""
        kept = [place for place, name in enumerate(self.columns) if name.partition("__")[0] not in without]
        seen, asked = self.inputs[self.learned][:, kept], self.inputs[self.asked][:, kept]
        answers = self._answers(seen, self.labels[self.learned], asked, parameters)
        return losses(self.kind, answers, self.labels[self.asked]), self.clusters[self.asked]

    @cached_property
    def _parts(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Of each period: rows and labels to learn from, and to ask about."""
        inputs, labels = self.inputs[self.learned], self.labels[self.learned]
        return [(inputs[one], labels[one], inputs[two], labels[two]) for one, two in self.periods]

    def _answers(
        self, seen: np.ndarray, labels: np.ndarray, asked: np.ndarray, parameters: Mapping[str, Any]
    ) -> np.ndarray:
        told = {name: value for name, value in parameters.items() if name not in ("learner", "without")}
        learner = str(parameters.get("learner", self.own[0]))
        mine = self.own[1] if learner == self.own[0] else {}
        return find_learner(learner).fit(seen, labels, self.kind, {**mine, **told}, self.seed).predict(asked)

    def _told(self, learner: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        left_out = {"without": list(self.without)} if self.without else {}
        return {"learner": learner, **parameters, **left_out}


class _Prefixed:
    """A trial whose parameters have names of their own for each learner.

    Args:
        trial: Optuna's.
        prefix: of the names.
    """

    def __init__(self, trial: "optuna.Trial", prefix: str) -> None:
        self._trial, self._prefix = trial, prefix

    def suggest_int(self, name: str, low: int, high: int, **how: Any) -> int:
        """As Optuna has it."""
        return self._trial.suggest_int(self._prefix + name, low, high, **how)

    def suggest_float(self, name: str, low: float, high: float, **how: Any) -> float:
        """As Optuna has it."""
        return self._trial.suggest_float(self._prefix + name, low, high, **how)
