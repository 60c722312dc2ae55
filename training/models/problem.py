"""The training data of a model, pulled once, for a search of its parameters and for ablations of its views."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import optuna


class Problem(ABC):
    """A training set for repeated fits; subclasses are dataclasses.

    Processes share it (``training.tuning.shared_problem``), so it holds only arrays, plain values, dataclasses, tuples
    and mappings of these, and functions at the top level of modules.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields, without cached values: equal problems give equal files."""
        return {one_field.name: getattr(self, one_field.name) for one_field in fields(self)}  # type: ignore[arg-type]

    @property
    @abstractmethod
    def folds(self) -> int:
        """Number of past periods, or folds, for the losses of a search; none overlaps the test."""

    @property
    @abstractmethod
    def default(self) -> dict[str, Any]:
        """Parameters of the declared model, in the form that its ``run`` takes."""

    @property
    def first(self) -> list[dict[str, Any]]:
        """First trials of a search: values by the parameter names of ``suggest``; the default comes first."""
        return [self.default]

    @property
    def views(self) -> tuple[str, ...]:
        """Feature views that an ablation can leave out; empty if the model reads fewer than two."""
        return ()

    @abstractmethod
    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggest the parameters of a trial, in the form that ``run`` takes."""

    @abstractmethod
    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Fit to the training rows of a fold; return the mean loss on the fold; lower is better."""

    @abstractmethod
    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Fit to all rows before the test; return the loss (n,) and the cluster (n,) of each test unit.

        Args:
            parameters: the parameters that differ from the default, or all.
            without: views to leave out.
        """
