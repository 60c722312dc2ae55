"""Predicts all tasks of a sound: a weighted, calibrated sum of a linear and a kernel score per class, and a distance.

``Heads.answers`` is the reference for the exported graph (``onnx_heads``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.models.audio import discriminant, distance, kernel_machine, stack
from training.models.audio.tasks import Kind, Task, columns

FOLDS = 5
MOST = 4_000
"""Maximum number of training tracks: solving the kernel system takes time in the cube of it."""
CLIP = 8.0
"""Standard deviations at which features are clipped."""


@dataclass(frozen=True)
class Heads:
    """Fitted parameters of all tasks; the k columns are all classes of all tasks.

    Attributes:
        tasks: name, kind and classes of each task.
        centre: (d,) mean of each feature, which also replaces missing values.
        scale: (d,) standard deviation of each feature.
        support: (m, d) standardized features of the training tracks.
        width: width of the kernel.
        linear: (d + 1, k) weights of the linear scores, offsets last.
        dual: (m + 1, k) coefficients of the kernel scores, offsets last.
        mix: (3, k) weight of the linear score, weight of the kernel score, and offset.
        middle: (d,) point from which distances are measured.
        white: (d, d) whitening matrix of the distances.
        farthest: distance beyond which a sound is unknown.
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
        """Return task → (n, k) probabilities or numbers, and (n,) distance of each row from the training tracks."""
        rows = _standardized(inputs, self.centre, self.scale)
        similarity = kernel_machine.kernel(rows, self.support, self.width)
        linear = rows @ self.linear[:-1] + self.linear[-1]
        scores = self.mix[0] * linear + self.mix[1] * (similarity @ self.dual[:-1] + self.dual[-1]) + self.mix[2]
        parts = columns(classes for _, _, classes in self.tasks)
        answers_by_task = {
            name: answer(scores[:, part], kind) for (name, kind, _), part in zip(self.tasks, parts, strict=True)
        }
        return answers_by_task, distance.distances(rows, self.middle, self.white)


def answer(scores: np.ndarray, kind: Kind) -> np.ndarray:
    """Turn scores (n, k) into probabilities, or into numbers from 0 to 1."""
    if kind == "number":
        return np.clip(scores, 0.0, 1.0)
    return stack.softmax(scores) if kind == "one_of" else stack.logistic(scores)


def fit(inputs: np.ndarray, tasks: Sequence[Task], groups: np.ndarray, *, seed: int = 0) -> Heads:
    """Fit all tasks.

    Args:
        inputs: (n, d) features; NaN for missing values.
        tasks: the tasks on the same n rows.
        groups: (n,) group of each row, such as an artist; the rows of a group are left out together.
        seed: random seed of the folds, and of the sample of ``MOST`` rows if there are more.
    """
    rng = np.random.default_rng(seed)
    if len(inputs) > MOST:
        sampled_rows = np.sort(rng.permutation(len(inputs))[:MOST])
        inputs, groups, tasks = inputs[sampled_rows], groups[sampled_rows], [task.take(sampled_rows) for task in tasks]
    tasks = list(tasks)
    filled_inputs = np.where(np.isnan(inputs).all(axis=0), 0.0, inputs)  # a feature that no row has is 0 in all rows
    with np.errstate(invalid="ignore"):
        centre, scale = (np.nan_to_num(statistic(filled_inputs, axis=0)) for statistic in (np.nanmean, np.nanstd))
    scale = np.where(scale > 1e-9, scale, 1.0)
    rows = _standardized(inputs, centre, scale)
    group_names = rng.permutation(np.unique(groups))
    folds = [
        np.flatnonzero(np.isin(groups, part)) for part in np.array_split(group_names, min(FOLDS, len(group_names)))
    ]
    width, penalty = kernel_machine.choose(rows, tasks, folds)
    similarity = kernel_machine.kernel(rows, rows, width)
    parts = [_fit_task(rows, similarity, task, folds, penalty) for task in tasks]
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


def _fit_task(
    rows: np.ndarray, similarity: np.ndarray, task: Task, folds: list[np.ndarray], penalty: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the linear weights, the kernel coefficients, and the mix of both scores, for one task."""
    labelled_rows = task.labelled_rows
    linear_scores = np.zeros(task.targets.shape)
    for fold in folds:
        training_rows = np.setdiff1d(labelled_rows, fold)
        weights, offsets = discriminant.fit(rows[training_rows], task.targets[training_rows], task.kind)
        linear_scores[fold] = rows[fold] @ weights + offsets
    mix = stack.weigh(
        linear_scores[labelled_rows],
        kernel_machine.cross_predict(similarity, task, folds, penalty)[labelled_rows],
        task.targets[labelled_rows],
        task.kind,
    )
    weights, offsets = discriminant.fit(rows[labelled_rows], task.targets[labelled_rows], task.kind)
    dual = np.zeros((len(rows) + 1, task.targets.shape[1]))
    dual[labelled_rows], dual[-1] = kernel_machine.solve(
        similarity[np.ix_(labelled_rows, labelled_rows)], task.targets[labelled_rows], penalty
    )
    return np.concatenate([weights, offsets[None]]), dual, mix


def _standardized(inputs: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    rows = (np.asarray(inputs, np.float64) - centre) / scale
    return np.clip(np.where(np.isnan(rows), 0.0, rows), -CLIP, CLIP)
