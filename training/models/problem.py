"""What a model learns from, pulled once: a search tries parameters on it, an ablation leaves views out of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import optuna


class Problem(ABC):
    """A training set that can be learned from again and again; a dataclass.

    It is sent to processes as a file, so it holds arrays and plain values, and no functions but those that stand at the
    top of a module.
    """

    def __getstate__(self) -> dict[str, Any]:
        """What it was made of, and nothing that was worked out since: equal ones are equal files."""
        return {part.name: getattr(self, part.name) for part in fields(self)}  # type: ignore[arg-type]

    @property
    @abstractmethod
    def folds(self) -> int:
        """Past periods, or parts, that a search may ask about; none of them is in the test."""

    @property
    @abstractmethod
    def default(self) -> dict[str, Any]:
        """Parameters of the model as it is declared, as its ``run`` takes them."""

    @property
    def first(self) -> list[dict[str, Any]]:
        """What a search tries before it chooses: values by the names that ``suggest`` asks for; the default first."""
        return [self.default]

    @property
    def views(self) -> tuple[str, ...]:
        """Feature views that can be left out; none where it eats no more than one."""
        return ()

    @abstractmethod
    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Parameters that a search tries, as ``run`` takes them."""

    @abstractmethod
    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Learn what came before a fold, ask about it: the mean loss; lower is better."""

    @abstractmethod
    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Learn all but the test, ask about it: the loss of each unit (n,), and what it is resampled with (n,).

        Args:
            parameters: that differ from the default, or all.
            without: views that are left out.
        """
