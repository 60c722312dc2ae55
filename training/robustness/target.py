"""What is attacked: a model, the inputs of units that it did not learn from, and the measure of its answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from feature_repo.errors import InputError

Input = TypeVar("Input")
Margins = Callable[[Any, np.ndarray], np.ndarray]
"""Inputs (m), and the unit (m,) that each belongs to → (m,) margins."""


@dataclass(frozen=True)
class Target(Generic[Input]):
    """A model with n units.

    Attributes:
        kind: kind of the inputs, which attacks name: ``texts``, ``rows``, ``sounds`` and so on.
        inputs: (n) input of each unit.
        margins: function of inputs and their units to margins. Positive if an answer is right, the further the surer;
            if ``graded``, the measure itself.
        metric: name of the measure.
        graded: whether the measure is the margin itself. If not, it is 1 where the margin is positive, else 0.
        higher_is_better: whether a higher measure is better; margins of a graded one that is better low are negative.
        clusters: (n,) cluster of each unit, which is resampled as a whole.
        labels: (n,) class number of each unit; empty where there are no classes.
        judged: what the model learned from, and what the units are.
        part: what is attacked of the model, such as a member of an ensemble; empty for the whole.
        extra: further things that attacks of this kind need, by name.

    >>> target = Target("rows", np.array([[1.0], [-1.0]]), lambda inputs, units: np.ravel(inputs), "accuracy")
    >>> target.values(target.inputs, target.units)
    array([1., 0.])
    """

    kind: str
    inputs: Sequence[Input] | np.ndarray
    margins: Margins
    metric: str
    graded: bool = False
    higher_is_better: bool = True
    clusters: np.ndarray = field(default_factory=lambda: np.empty(0))
    labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    judged: str = ""
    part: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def units(self) -> np.ndarray:
        """(n,) numbers of all units."""
        return np.arange(len(self))

    @property
    def groups(self) -> np.ndarray:
        """(n,) cluster of each unit; each is its own if none are given."""
        return self.clusters if len(self.clusters) else self.units

    def values(self, inputs: Any, units: np.ndarray) -> np.ndarray:
        """Returns the (m,) measure of inputs (m) of units (m,)."""
        return self.measured(np.asarray(self.margins(inputs, units), np.float64))

    def measured(self, margins: np.ndarray) -> np.ndarray:
        """Turns margins into the measure; NaN stays NaN."""
        if self.graded:
            return margins if self.higher_is_better else -margins
        return np.where(np.isnan(margins), np.nan, (margins > 0).astype(float))

    def take(self, units: np.ndarray) -> "Target[Input]":
        """Selects units by number."""
        inputs = self.inputs[units] if isinstance(self.inputs, np.ndarray) else [self.inputs[unit] for unit in units]
        return replace(
            self,
            inputs=inputs,
            margins=lambda changed, numbers: self.margins(changed, units[numbers]),
            clusters=self.groups[units],
            labels=self.labels[units] if len(self.labels) else self.labels,
        )


def sampled(target: Target[Input], most: int, seed: int) -> Target[Input]:
    """Draws at most so many units.

    Raises:
        InputError: there are no units.
    """
    if not len(target):
        raise InputError(
            expected=f"units to attack with the measure {target.metric}",
            found="none",
            next_command="refrain import FORMAT PATH  (newer data with labels)",
        )
    if len(target) <= most:
        return target
    return target.take(np.sort(np.random.default_rng(seed).permutation(len(target))[:most]))


def rows_target(
    inputs: np.ndarray,
    labels: np.ndarray,
    classes: Callable[[np.ndarray], np.ndarray],
    scores: Callable[[np.ndarray], np.ndarray],
    scale: np.ndarray,
    *,
    movable: np.ndarray | None = None,
    grids: Sequence[np.ndarray] = (),
    graph: bytes | None = None,
    clusters: np.ndarray | None = None,
    judged: str = "",
    part: str = "",
    kind: str = "rows",
    bounds: tuple[np.ndarray, np.ndarray] | None = None,
) -> Target[np.ndarray]:
    """Makes the target of a classifier of rows of numbers.

    Args:
        inputs: (n, …) inputs, NaN for missing.
        labels: (n,) class numbers.
        classes: function of (m, …) inputs to (m,) class numbers: the decision.
        scores: function of (m, …) inputs to (m, k) scores of the classes, the highest of which is the decision.
        scale: spread of each input, such as its standard deviation; strengths are multiples of it.
        movable: which inputs somebody can change; all if None.
        grids: values worth trying for each input; none if empty.
        graph: ONNX graph of the scores, for attacks by gradient; None if there is none.
        clusters: (n,) cluster of each row.
        judged: what the model learned from, and what the rows are.
        part: what is attacked of the model.
        kind: kind of the target.
        bounds: lowest and highest value of each input that an attack may set; none if None.
    """

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        rows = np.asarray(changed, np.float32)
        if not len(rows):
            return np.empty(0)
        answers, places = np.array(scores(rows), np.float64), np.arange(len(rows))
        own = answers[places, labels[units]].copy()
        answers[places, labels[units]] = -np.inf
        margin = own - answers.max(axis=1)
        is_right = classes(rows) == labels[units]
        return np.where(is_right, np.maximum(margin, 1e-12), np.minimum(margin, 0.0))

    extra: dict[str, Any] = {
        "scale": np.asarray(scale, np.float64),
        "movable": np.ones(np.shape(scale), bool) if movable is None else movable,
        "grids": grids,
        "classes": classes,
        "graph": graph,
        "low": -np.inf if bounds is None else bounds[0],
        "high": np.inf if bounds is None else bounds[1],
    }
    return Target(
        kind,
        np.asarray(inputs, np.float32),
        margins,
        "accuracy",
        clusters=np.empty(0) if clusters is None else np.asarray(clusters),
        labels=np.asarray(labels),
        judged=judged,
        part=part,
        extra=extra,
    )
