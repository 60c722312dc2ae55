"""Protocols of a learner and of a fitted model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    import optuna

Kind = Literal["binary", "number"]
INPUT = "inputs"
"""Name of the input of the ONNX models, (n, d) float32."""


class Fitted(Protocol):
    """A fitted model of rows."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes, or numbers."""

    def to_onnx(self) -> bytes:
        """Exports the model: an input ``inputs`` (n, d) float32, its last output (n,) or (n, k)."""

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1): the contribution of each column to the answer, and the base value in the last column.

        Their sum is the answer in the model's own units: log-odds for ``binary``, or chances where the model sums
        these, as a forest does.
        """


class Learner(Protocol):
    """A learning algorithm for rows."""

    name: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests the parameters of a trial."""

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> Fitted:
        """Fits a model to rows (n, d) with answers (n,)."""
