"""Predicts all tasks of a sound: a weighted, calibrated sum of a linear and a kernel score per class, and a distance.

``Heads.answers`` is the reference for the exported graph (``onnx_heads``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.models.audio import discriminant, distance, kernel_machine, stack
from training.models.audio.distance import Measures, Region
from training.models.audio.tasks import Kind, Task, columns

FOLDS = 5
MOST = 4_000
"""Maximum number of training tracks: solving the kernel system takes time in the cube of it."""
CLIP = 8.0
"""Standard deviations at which features are clipped."""
RECORDER_WEIGHT = 0.3
"""Weight of the covariance by recorders beside that within classes; chosen on rendered notes (decision 069)."""


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
        region: where the training tracks lie, for the distance of a sound from them.
    """

    tasks: tuple[tuple[str, Kind, tuple[str, ...]], ...]
    centre: np.ndarray
    scale: np.ndarray
    support: np.ndarray
    width: float
    linear: np.ndarray
    dual: np.ndarray
    mix: np.ndarray
    region: Region

    def answers(self, inputs: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return task → (n, k) probabilities or numbers, and (n,) distance, above ``distance.LIMIT`` if unknown."""
        answers_by_task, measures = self.measured(_standardized(inputs, self.centre, self.scale))
        return answers_by_task, self.region.distances(measures)

    def measured(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], Measures]:
        """Return the answers for standardized rows, and what their distance is made of."""
        similarity = kernel_machine.kernel(rows, self.support, self.width)
        linear = rows @ self.linear[:-1] + self.linear[-1]
        scores = self.mix[0] * linear + self.mix[1] * (similarity @ self.dual[:-1] + self.dual[-1]) + self.mix[2]
        parts = columns(classes for _, _, classes in self.tasks)
        answers_by_task = {
            name: answer(scores[:, part], kind) for (name, kind, _), part in zip(self.tasks, parts, strict=True)
        }
        doubtful = self.doubtful
        doubt = distance.entropy(answers_by_task[doubtful]) if doubtful else np.zeros(len(rows))
        return answers_by_task, self.region.measure(rows, doubt)

    @property
    def doubtful(self) -> str | None:
        """Name of the task whose doubt counts for the distance; None unless the first one that is no number has one
        label per sound."""
        name, kind = next(((name, kind) for name, kind, _ in self.tasks if kind != "number"), (None, None))
        return name if kind == "one_of" else None


def answer(scores: np.ndarray, kind: Kind) -> np.ndarray:
    """Turn scores (n, k) into probabilities, or into numbers from 0 to 1."""
    if kind == "number":
        return np.clip(scores, 0.0, 1.0)
    return stack.softmax(scores) if kind == "one_of" else stack.logistic(scores)


def fit(
    inputs: np.ndarray,
    tasks: Sequence[Task],
    groups: np.ndarray,
    *,
    sources: np.ndarray | None = None,
    shifts: np.ndarray | None = None,
    seed: int = 0,
) -> Heads:
    """Fit all tasks.

    Args:
        inputs: (n, d) features; NaN for missing values.
        tasks: the tasks on the same n rows.
        groups: (n,) group of each row, such as an artist; the rows of a group are left out together.
        sources: (n,) source of each row, such as a recorder or a label: the limit of the distance is what leaving
            each of them out asks for. If None or all the same, artists are left out, moved as by other recorders.
        shifts: (d, k) directions that recorders move features in (``recorders.shifts``); none if None.
        seed: random seed of the folds, and of the sample of ``MOST`` rows if there are more.
    """
    rng = np.random.default_rng(seed)
    if len(inputs) > MOST:
        sampled_rows = np.sort(rng.permutation(len(inputs))[:MOST])
        inputs, groups, tasks = inputs[sampled_rows], groups[sampled_rows], [task.take(sampled_rows) for task in tasks]
        sources = None if sources is None else sources[sampled_rows]
    tasks = list(tasks)
    filled_inputs = np.where(np.isnan(inputs).all(axis=0), 0.0, inputs)  # a feature that no row has is 0 in all rows
    with np.errstate(invalid="ignore"):
        centre, scale = (np.nan_to_num(statistic(filled_inputs, axis=0)) for statistic in (np.nanmean, np.nanstd))
    scale = np.where(scale > 1e-9, scale, 1.0)
    rows = _standardized(inputs, centre, scale)
    folds = _folds(groups, rng)
    directions = np.zeros((rows.shape[1], 0)) if shifts is None else np.sqrt(RECORDER_WEIGHT) * shifts / scale[:, None]
    settings = (centre, scale, *kernel_machine.choose(rows, tasks, folds), directions @ directions.T)
    heads = _fit(rows, tasks, folds, *settings)
    if sources is not None and len(np.unique(sources)) > 1:
        left_out, moved = sources, rows
    else:
        moves = rng.normal(size=(len(rows), directions.shape[1])) @ directions.T
        left_out, moved = groups, np.clip(rows + moves, -CLIP, CLIP)
    task = distance.first_task(tasks)
    classes = distance.class_numbers(task, len(rows))
    known = []
    for fold in _folds(left_out, rng):
        others = np.setdiff1d(np.arange(len(rows)), fold)
        is_known = np.isin(classes[fold], [-1, *distance.frequent(classes[others])])
        if len(others) >= distance.FEWEST and is_known.any():
            task_of_others = [task.take(others)] if task else []
            without = _fit(rows[others], task_of_others, _folds(groups[others], rng), *settings)
            known.append(_measures(without, rows[fold[is_known]], moved[fold[is_known]]))
    known = known or [_measures(heads, rows, moved)]
    return replace(heads, region=distance.with_limits(heads.region, known))


def _measures(heads: Heads, rows: np.ndarray, moved: np.ndarray) -> Measures:
    """Return relative distance and doubt of rows as other recorders have them, and the plain distance of both."""
    of_moved = heads.measured(moved)[1]
    return replace(of_moved, plain=np.concatenate([heads.measured(rows)[1].plain, of_moved.plain]))


def _folds(groups: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the row numbers of each fold; the rows of a group are in one fold, unless there is one group alone."""
    groups = groups if len(np.unique(groups)) > 1 else np.arange(len(groups))
    names = rng.permutation(np.unique(groups))
    return [np.flatnonzero(np.isin(groups, part)) for part in np.array_split(names, min(FOLDS, len(names)))]


def _fit(
    rows: np.ndarray,
    tasks: list[Task],
    folds: list[np.ndarray],
    centre: np.ndarray,
    scale: np.ndarray,
    width: float,
    penalty: float,
    recorder: np.ndarray,
) -> Heads:
    """Fit all tasks to standardized rows, without limits of the distance."""
    similarity = kernel_machine.kernel(rows, rows, width)
    parts = [_fit_task(rows, similarity, task, folds, penalty, recorder) for task in tasks]
    none = np.empty((0, 0))
    linear, dual, mix = (
        np.concatenate([part[place] for part in parts], axis=1) if parts else none for place in range(3)
    )
    classes = distance.class_numbers(distance.first_task(tasks), len(rows))
    return Heads(
        tuple((task.name, task.kind, task.classes) for task in tasks),
        centre,
        scale,
        rows,
        width,
        linear,
        dual,
        mix,
        distance.fit(rows, classes, recorder),
    )


def _fit_task(
    rows: np.ndarray, similarity: np.ndarray, task: Task, folds: list[np.ndarray], penalty: float, recorder: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the linear weights, the kernel coefficients, and the mix of both scores, for one task."""
    labelled_rows = task.labelled_rows
    linear_scores = np.zeros(task.targets.shape)
    for fold in folds:
        training_rows = np.setdiff1d(labelled_rows, fold)
        if not len(training_rows):
            continue  # the scores stay 0: no other row has a label
        weights, offsets = discriminant.fit(rows[training_rows], task.targets[training_rows], task.kind, recorder)
        linear_scores[fold] = rows[fold] @ weights + offsets
    mix = stack.weigh(
        linear_scores[labelled_rows],
        kernel_machine.cross_predict(similarity, task, folds, penalty)[labelled_rows],
        task.targets[labelled_rows],
        task.kind,
    )
    weights, offsets = discriminant.fit(rows[labelled_rows], task.targets[labelled_rows], task.kind, recorder)
    dual = np.zeros((len(rows) + 1, task.targets.shape[1]))
    dual[labelled_rows], dual[-1] = kernel_machine.solve(
        similarity[np.ix_(labelled_rows, labelled_rows)], task.targets[labelled_rows], penalty
    )
    return np.concatenate([weights, offsets[None]]), dual, mix


def _standardized(inputs: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    rows = (np.asarray(inputs, np.float64) - centre) / scale
    return np.clip(np.where(np.isnan(rows), 0.0, rows), -CLIP, CLIP)
