"""What a learner and what it learned look like."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    import optuna

Kind = Literal["binary", "number"]
INPUT = "inputs"
"""Name of the ONNX models' input, (n, d) float32."""


class Fitted(Protocol):
    """A model of rows."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """(n,) chances of yes, or numbers."""

    def to_onnx(self) -> bytes:
        """The same model: an input ``inputs`` (n, d) float32, its last output (n,) or (n, k)."""

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """(n, d + 1): what each column adds to the answer, and what is said without any, in the last column.

        Their sum is the answer in the model's own units: log-odds for ``binary``.
        """


class Learner(Protocol):
    """A way to learn."""

    name: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Parameters that a search tries."""

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> Fitted:
        """Learn answers (n,) of rows (n, d)."""
