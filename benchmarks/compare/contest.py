"""What a contest is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl


@dataclass(frozen=True)
class Scores:
    """The scores of one model.

    Attributes:
        cases: (n,) test case → its score, by which models are compared in pairs.
        clusters: test case → the cluster it belongs to, drawn as one; the case itself if left out.
        further: further figures of the whole test.
    """

    cases: Mapping[str, float]
    clusters: Mapping[str, str]
    further: Mapping[str, float]


@dataclass(frozen=True)
class Contest:
    """A task on which models compete.

    Attributes:
        name: name of the task, and of the folder of its rivals.
        data: name of the public data set.
        metric: name of the score of a case.
        higher_is_better: direction of the score.
        protocol: the split and the scoring, in words.
        prepare: (data set, folder, size) → writes the files of the split to the folder; ``truth.parquet`` is not for
            rivals. The size bounds the test cases, 0 for all.
        answer: folder → our own answers, by model.
        score: (folder, answers) → scores.
    """

    name: str
    data: str
    metric: str
    higher_is_better: bool
    protocol: str
    prepare: Callable[[Path, Path, int], None]
    answer: Callable[[Path], Mapping[str, pl.DataFrame]]
    score: Callable[[Path, pl.DataFrame], Scores]


TRUTH = "truth.parquet"
"""The file of the split that rivals do not get."""
