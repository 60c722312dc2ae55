"""All tasks of a sound in one: a linear and a kernel score for every class, weighed and calibrated; how far it is.

``Heads.answers`` is what the exported graph (``onnx_heads``) is held to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.models.audio import discriminant, distance, kernel_machine, stack
from training.models.audio.tasks import Kind, Task, columns

FOLDS = 5
MOST = 4_000
"""Tracks that are learned from at the most: the system is solved in their cube."""
CLIP = 8.0
"""Standard deviations that a feature counts for at the most."""


@dataclass(frozen=True)
class Heads:
    """What was learned; k columns are all classes of all tasks.

    Attributes:
        tasks: name, kind and classes of each.
        centre: (d,) mean of each feature, which also stands in for one that is missing.
        scale: (d,) its standard deviation.
        support: (m, d) what was learned from, standardized.
        width: of the kernel.
        linear: (d + 1, k) weights, offsets last.
        dual: (m + 1, k) coefficients, offsets last.
        mix: (3, k) weights of both, and an offset.
        middle: (d,) that distance is measured from.
        white: (d, d) by which it is.
        farthest: distance from which on a sound is unknown.
    """

    tasks: tuple[tuple[str, Kind, tuple[str, ...]], ...]
    centre: np.ndarray
    scale: np.ndarray
    support: np.ndarray
    width: float
    linear: np.ndarray
    dual: np.ndarray
    mix: np.ndarray
    middle: np.ndarray
    white: np.ndarray
    farthest: float

    def answers(self, inputs: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """By task (n, k) probabilities or numbers; and (n,) how far each is from what was learned from."""
        rows = _standardized(inputs, self.centre, self.scale)
        likeness = kernel_machine.kernel(rows, self.support, self.width)
        linear = rows @ self.linear[:-1] + self.linear[-1]
        scores = self.mix[0] * linear + self.mix[1] * (likeness @ self.dual[:-1] + self.dual[-1]) + self.mix[2]
        parts = columns(classes for _, _, classes in self.tasks)
        found = {name: answer(scores[:, part], kind) for (name, kind, _), part in zip(self.tasks, parts, strict=True)}
        return found, distance.distances(rows, self.middle, self.white)


def answer(scores: np.ndarray, kind: Kind) -> np.ndarray:
    """Scores (n, k) as probabilities, or as numbers from 0 to 1."""
    if kind == "number":
        return np.clip(scores, 0.0, 1.0)
    return stack.softmax(scores) if kind == "one_of" else stack.logistic(scores)


def fit(inputs: np.ndarray, tasks: Sequence[Task], groups: np.ndarray, *, seed: int = 0) -> Heads:
    """Learn all tasks.

    Args:
        inputs: (n, d); NaN for what is missing.
        tasks: of the same n rows.
        groups: (n,) rows of one group, such as an artist, are left out together.
        seed: of the folds, and of which rows are taken where there are more than ``MOST``.
    """
    rng = np.random.default_rng(seed)
    if len(inputs) > MOST:
        few = np.sort(rng.permutation(len(inputs))[:MOST])
        inputs, groups, tasks = inputs[few], groups[few], [task.take(few) for task in tasks]
    tasks = list(tasks)
    known = np.where(np.isnan(inputs).all(axis=0), 0.0, inputs)  # what no row has is 0 for all
    with np.errstate(invalid="ignore"):
        centre, scale = (np.nan_to_num(of(known, axis=0)) for of in (np.nanmean, np.nanstd))
    scale = np.where(scale > 1e-9, scale, 1.0)
    rows = _standardized(inputs, centre, scale)
    names = rng.permutation(np.unique(groups))
    folds = [np.flatnonzero(np.isin(groups, part)) for part in np.array_split(names, min(FOLDS, len(names)))]
    width, penalty = kernel_machine.choose(rows, tasks, folds)
    likeness = kernel_machine.kernel(rows, rows, width)
    parts = [_one(rows, likeness, task, folds, penalty) for task in tasks]
    linear, dual, mix = (np.concatenate([part[place] for part in parts], axis=1) for place in range(3))
    return Heads(
        tuple((task.name, task.kind, task.classes) for task in tasks),
        centre,
        scale,
        rows,
        width,
        linear,
        dual,
        mix,
        *distance.whitening(rows),
        distance.farthest(rows, folds),
    )


def _one(
    rows: np.ndarray, likeness: np.ndarray, task: Task, folds: list[np.ndarray], penalty: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear weights, coefficients of the kernel, and how both count."""
    told = task.told
    out = np.zeros(task.targets.shape)
    for fold in folds:
        rest = np.setdiff1d(told, fold)
        weights, offsets = discriminant.fit(rows[rest], task.targets[rest], task.kind)
        out[fold] = rows[fold] @ weights + offsets
    mix = stack.weigh(
        out[told], kernel_machine.left_out(likeness, task, folds, penalty)[told], task.targets[told], task.kind
    )
    weights, offsets = discriminant.fit(rows[told], task.targets[told], task.kind)
    dual = np.zeros((len(rows) + 1, task.targets.shape[1]))
    dual[told], dual[-1] = kernel_machine.solve(likeness[np.ix_(told, told)], task.targets[told], penalty)
    return np.concatenate([weights, offsets[None]]), dual, mix


def _standardized(inputs: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    rows = (np.asarray(inputs, np.float64) - centre) / scale
    return np.clip(np.where(np.isnan(rows), 0.0, rows), -CLIP, CLIP)
