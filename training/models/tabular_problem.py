"""Labelled rows, pulled once, for a search of learners and parameters and for ablations of feature views."""

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
    """Return the loss (n,) of each row: log loss of probabilities, absolute error of numbers."""
    if kind == "number":
        return np.abs(answers - labels)
    clipped = np.clip(answers, 1e-6, 1 - 1e-6)
    return -np.where(labels > 0, np.log(clipped), np.log1p(-clipped))


@dataclass(frozen=True)
class TabularProblem(Problem):
    """The search problem of a tabular model.

    Attributes:
        kind: kind of the label.
        inputs: (n, d) float32 inputs.
        columns: (d,) names of the inputs: ``view__feature``, with the suffixes of the layout.
        labels: (n,) labels.
        clusters: (n,) cluster of each row; a cluster is resampled as a whole.
        training_rows: positions of the training rows of the test.
        test_rows: positions of the test rows.
        periods: folds within ``training_rows``, as positions in them.
        learners: learners that a search tries.
        own: learner and parameters of the declared model.
        without: features or views that are left out already.
        seed: random seed of the learners.
    """

    kind: Kind
    inputs: np.ndarray
    columns: tuple[str, ...]
    labels: np.ndarray
    clusters: np.ndarray
    training_rows: np.ndarray
    test_rows: np.ndarray
    periods: tuple[Fold, ...]
    learners: tuple[str, ...]
    own: tuple[str, Mapping[str, Any]]
    without: tuple[str, ...]
    seed: int

    @property
    def folds(self) -> int:
        """Number of past periods."""
        return len(self.periods)

    @property
    def default(self) -> dict[str, Any]:
        """Parameters of the declared model's own learner."""
        return self._run_parameters(*self.own)

    @property
    def first(self) -> list[dict[str, Any]]:
        """The defaults of each learner; the model's own learner comes first."""
        ordered = sorted(self.learners, key=lambda learner: learner != self.own[0])
        defaults = {
            learner: dict(self.own[1]) if learner == self.own[0] else dict(find_learner(learner).defaults)
            for learner in ordered
        }
        return [
            {"learner": learner, **{f"{learner}_{name}": value for name, value in defaults[learner].items()}}
            for learner in ordered
        ]

    @property
    def views(self) -> tuple[str, ...]:
        """Views of the columns; empty if there are fewer than two."""
        view_names = tuple(dict.fromkeys(name.partition("__")[0] for name in self.columns))
        return view_names if len(view_names) > 1 else ()

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggest a learner and its parameters."""
        learner = trial.suggest_categorical("learner", sorted(self.learners))
        return self._run_parameters(learner, find_learner(learner).suggest(_Prefixed(trial, f"{learner}_")))  # type: ignore[arg-type]

    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Return the mean loss of a past period."""
        train_inputs, train_labels, test_inputs, test_labels = self._period_data[fold]
        return float(
            losses(self.kind, self._predict(train_inputs, train_labels, test_inputs, parameters), test_labels).mean()
        )

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss and the cluster of each test row, without some views."""
        kept_columns = [
            position for position, name in enumerate(self.columns) if name.partition("__")[0] not in without
        ]
        train_inputs, test_inputs = (
            self.inputs[self.training_rows][:, kept_columns],
            self.inputs[self.test_rows][:, kept_columns],
        )
        answers = self._predict(train_inputs, self.labels[self.training_rows], test_inputs, parameters)
        return losses(self.kind, answers, self.labels[self.test_rows]), self.clusters[self.test_rows]

    @cached_property
    def _period_data(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Return for each period the training inputs and labels, and the validation inputs and labels."""
        inputs, labels = self.inputs[self.training_rows], self.labels[self.training_rows]
        return [(inputs[train], labels[train], inputs[test], labels[test]) for train, test in self.periods]

    def _predict(
        self, train_inputs: np.ndarray, train_labels: np.ndarray, test_inputs: np.ndarray, parameters: Mapping[str, Any]
    ) -> np.ndarray:
        learner_parameters = {name: value for name, value in parameters.items() if name not in ("learner", "without")}
        learner = str(parameters.get("learner", self.own[0]))
        own_parameters = self.own[1] if learner == self.own[0] else {}
        return (
            find_learner(learner)
            .fit(train_inputs, train_labels, self.kind, {**own_parameters, **learner_parameters}, self.seed)
            .predict(test_inputs)
        )

    def _run_parameters(self, learner: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        left_out = {"without": list(self.without)} if self.without else {}
        return {"learner": learner, **parameters, **left_out}


class _Prefixed:
    """A trial that prefixes parameter names, so that each learner has its own.

    Args:
        trial: Optuna's trial.
        prefix: prefix of the names.
    """

    def __init__(self, trial: "optuna.Trial", prefix: str) -> None:
        self._trial, self._prefix = trial, prefix

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Suggest as Optuna's trial does, under the prefixed name."""
        return self._trial.suggest_int(self._prefix + name, low, high, step=step, log=log)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Suggest as Optuna's trial does, under the prefixed name."""
        return self._trial.suggest_float(self._prefix + name, low, high, step=step, log=log)
