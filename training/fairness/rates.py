"""What a file of ``training.fairness.metrics`` declares: a rate of a group, or a gap between groups."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from feature_repo.discovery import definitions

Parts = tuple[np.ndarray, np.ndarray]
"""(n,) numerators and (n,) denominators; a rate is the sum of the first divided by that of the second."""


@dataclass(frozen=True)
class Answers:
    """The answers to n units of a test.

    Attributes:
        figure: name of the metric of each unit, such as ``log_loss``.
        values: (n,) that metric of the model; NaN where there is none.
        outcome: (n,) 0 or 1; empty for a model without chances.
        chance: (n,) predicted chances; empty likewise.
        threshold: chance from which a unit is selected.
        shown: name → (n,) a measure of the list that was shown, such as ``popularity``; empty for other models.
    """

    figure: str
    values: np.ndarray
    outcome: np.ndarray = field(default_factory=lambda: np.empty(0))
    chance: np.ndarray = field(default_factory=lambda: np.empty(0))
    threshold: float = 0.5
    shown: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def selected(self) -> np.ndarray:
        """(n,) 1 where the chance reaches the threshold, else 0."""
        return (self.chance >= self.threshold).astype(float)

    @property
    def has_chances(self) -> bool:
        """Whether the model predicts chances."""
        return len(self.chance) > 0


@dataclass(frozen=True)
class Rate:
    """A figure of a group of units: a ratio of sums.

    Attributes:
        name: name of the figure.
        about: what it says, for a page.
        parts: function that returns the numerators and denominators of the units; None if the answers have no such
            figure.
        is_share: whether it is a share of units, from 0 to 1.
        less: number that is subtracted from the ratio.
    """

    name: str
    about: str
    parts: Callable[[Answers], Parts | None]
    is_share: bool = False
    less: float = 0.0


@dataclass(frozen=True)
class Gap:
    """A comparison of the groups of a division.

    Attributes:
        name: name of the figure, and of its limit in ``refrain.toml``.
        about: what it says, for a page.
        rates: names of the rates that are compared; of several, the largest difference counts.
        kind: ``difference`` of the largest and the smallest rate, or ``ratio`` of the smallest to the largest.
        of_lists: whether the groups are of those whose work is shown, rather than of people.
    """

    name: str
    about: str
    rates: tuple[str, ...]
    kind: Literal["difference", "ratio"]
    of_lists: bool = False

    @property
    def is_better_high(self) -> bool:
        """Whether a limit is the least allowed value: of a ratio, of which 1 is best."""
        return self.kind == "ratio"


def rates() -> dict[str, Rate]:
    """Returns all rates by name."""
    return definitions("training.fairness.metrics", Rate)


def gaps() -> dict[str, Gap]:
    """Returns all gaps by name."""
    return definitions("training.fairness.metrics", Gap)
