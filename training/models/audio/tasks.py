"""Labels of sounds as prediction tasks with columns of numbers."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

Kind = Literal["one_of", "any_of", "number"]
FEWEST_CLASSES, FEWEST_TRACKS = 2, 8
"""Minimum number of classes of a task, and of tracks of each class."""


@dataclass(frozen=True)
class Task:
    """One prediction task on n sounds.

    Attributes:
        name: name of the task, such as ``genre``.
        kind: whether the target is one of the classes, any of them, or a number from 0 to 1 per class.
        classes: names of the k classes.
        targets: (n, k) float64; 0 or 1, or the number; unlabelled sounds are rows of NaN.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]
    targets: np.ndarray

    @property
    def labelled_rows(self) -> np.ndarray:
        """Return the numbers of the labelled rows."""
        return np.flatnonzero(~np.isnan(self.targets).any(axis=1))

    def take(self, rows: np.ndarray) -> "Task":
        """Return the task on a selection of the sounds."""
        return Task(self.name, self.kind, self.classes, self.targets[rows])


def columns(classes: Iterable[tuple[str, ...]]) -> list[slice]:
    """Return the slice of each task's columns when the columns of all tasks stand side by side."""
    bounds = list(itertools.accumulate(map(len, classes), initial=0))
    return list(itertools.starmap(slice, itertools.pairwise(bounds)))


def tasks(labels: pl.DataFrame) -> list[Task]:
    """Return the tasks genre, mood, feeling (valence and arousal) and instruments, each if it has enough labels.

    Args:
        labels: labels as in ``training.datasets.sounds.LabelledSounds``.
    """
    candidates = [_one_of("genre", labels["genre"]), _one_of("mood", labels["mood"])]
    numbers = labels.select("valence", "arousal").cast(pl.Float64).to_numpy()
    if (~np.isnan(numbers).any(axis=1)).sum() >= FEWEST_TRACKS:
        candidates.append(Task("feeling", "number", ("valence", "arousal"), numbers))
    candidates.append(_any_of("instruments", labels["instruments"]))
    return [task for task in candidates if task and task.classes]


def _one_of(name: str, column: pl.Series) -> Task | None:
    counts = column.drop_nulls().value_counts()
    classes = tuple(sorted(counts.filter(pl.col("count") >= FEWEST_TRACKS)[name].to_list()))
    if len(classes) < FEWEST_CLASSES:
        return None
    values = np.array(column.to_list(), dtype=object)
    targets = (values[:, None] == np.array(classes, dtype=object)).astype(np.float64)
    targets[~targets.any(axis=1)] = np.nan
    return Task(name, "one_of", classes, targets)


def _any_of(name: str, column: pl.Series) -> Task | None:
    is_labelled = column.is_not_null().to_numpy()
    label_sets = [set(value or ()) for value in column.to_list()]
    counts: dict[str, int] = {}
    for row_labels in label_sets:
        for label in row_labels:
            counts[label] = counts.get(label, 0) + 1
    frequent_labels = [
        label for label, count in counts.items() if FEWEST_TRACKS <= count <= is_labelled.sum() - FEWEST_TRACKS
    ]
    if not frequent_labels:
        return None
    classes = tuple(sorted(frequent_labels))
    targets = np.array([[label in row_labels for label in classes] for row_labels in label_sets], np.float64)
    targets[~is_labelled] = np.nan
    return Task(name, "any_of", classes, targets)
