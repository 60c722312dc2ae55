"""What is to be told of a sound, as columns of numbers."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

Kind = Literal["one_of", "any_of", "number"]
FEWEST_CLASSES, FEWEST_TRACKS = 2, 8
"""Of a task that can be learned: classes, and tracks of each."""


@dataclass(frozen=True)
class Task:
    """One question about n sounds.

    Attributes:
        name: such as ``genre``.
        kind: one of the classes, any of them, or a number from 0 to 1 each.
        classes: k names.
        targets: (n, k) float64; 0 or 1, or the number; rows of NaN where nobody said.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]
    targets: np.ndarray

    @property
    def told(self) -> np.ndarray:
        """Rows that somebody said something of."""
        return np.flatnonzero(~np.isnan(self.targets).any(axis=1))

    def take(self, rows: np.ndarray) -> "Task":
        """Of some of the sounds."""
        return Task(self.name, self.kind, self.classes, self.targets[rows])


def columns(classes: Iterable[tuple[str, ...]]) -> list[slice]:
    """Where the columns of each task lie, among those of all tasks beside each other."""
    ends = list(itertools.accumulate(map(len, classes), initial=0))
    return list(itertools.starmap(slice, itertools.pairwise(ends)))


def tasks(labels: pl.DataFrame) -> list[Task]:
    """Genre, mood, feeling (valence, arousal), instruments: those that enough was said of.

    Args:
        labels: as of ``training.datasets.sounds.LabelledSounds``.
    """
    found = [_one_of("genre", labels["genre"]), _one_of("mood", labels["mood"])]
    numbers = labels.select("valence", "arousal").cast(pl.Float64).to_numpy()
    if (~np.isnan(numbers).any(axis=1)).sum() >= FEWEST_TRACKS:
        found.append(Task("feeling", "number", ("valence", "arousal"), numbers))
    found.append(_any_of("instruments", labels["instruments"]))
    return [task for task in found if task and task.classes]


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
    said = column.is_not_null().to_numpy()
    lists = [set(value or ()) for value in column.to_list()]
    counts: dict[str, int] = {}
    for one in lists:
        for label in one:
            counts[label] = counts.get(label, 0) + 1
    enough = [label for label, count in counts.items() if FEWEST_TRACKS <= count <= said.sum() - FEWEST_TRACKS]
    if not enough:
        return None
    classes = tuple(sorted(enough))
    targets = np.array([[label in one for label in classes] for one in lists], np.float64)
    targets[~said] = np.nan
    return Task(name, "any_of", classes, targets)
