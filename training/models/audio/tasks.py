"""Labels of sounds as prediction tasks with columns of numbers."""

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from feature_repo.errors import InputError

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

    Spellings of a label that differ in case or spaces are one class, named by the most frequent of them.

    Args:
        labels: labels as in ``training.datasets.sounds.LabelledSounds``.
    """
    candidates = [_one_of("genre", labels["genre"]), _one_of("mood", labels["mood"])]
    numbers = labels.select("valence", "arousal").cast(pl.Float64).to_numpy()
    if (~np.isnan(numbers).any(axis=1)).sum() >= FEWEST_TRACKS:
        candidates.append(Task("feeling", "number", ("valence", "arousal"), numbers))
    candidates.append(_any_of("instruments", labels["instruments"]))
    return [task for task in candidates if task and task.classes]


def required_tasks(labels: pl.DataFrame) -> list[Task]:
    """Return the tasks, as ``tasks`` does.

    Raises:
        InputError: there are none.
    """
    all_tasks = tasks(labels)
    if not all_tasks:
        raise InputError(
            expected=f"labels of at least {FEWEST_CLASSES} genres, moods or sets of instruments, of {FEWEST_TRACKS} "
            "tracks each",
            found=f"{labels.height:,} labelled tracks without",
            next_command="refrain import audio PATH, with its labels.csv",
        )
    return all_tasks


def _spellings(labels: Iterable[str]) -> dict[str, str]:
    """Return label → the most frequent spelling of it, the first in the alphabet of equally frequent ones."""
    by_key: dict[str, Counter[str]] = {}
    for label in labels:
        by_key.setdefault(_key(label), Counter())[" ".join(label.split())] += 1
    return {key: min(counts, key=lambda label: (-counts[label], label)) for key, counts in by_key.items()}


def _key(label: str) -> str:
    return " ".join(label.split()).casefold()


def _one_of(name: str, column: pl.Series) -> Task | None:
    spellings = _spellings(column.drop_nulls().to_list())
    labels = [None if label is None else spellings[_key(label)] or None for label in column.to_list()]
    column = pl.Series(name, labels, pl.String)
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
    spellings = _spellings(itertools.chain.from_iterable(value or () for value in column.to_list()))
    label_sets = [{spellings[_key(label)] for label in value or ()} - {""} for value in column.to_list()]
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
