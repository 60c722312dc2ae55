"""What a protocol finds of one model."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.surroundings import DATA
from feature_repo.errors import InputError
from training.evaluate import RankingMetrics, rank_all, ranking_metrics
from training.models.recommendation.contract import Fitted


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        model: its name.
        setting: what was chosen on validation.
        metrics: on test.
        seed: of the split; None where there is but one.
    """

    model: str
    setting: str
    metrics: RankingMetrics
    seed: int | None = None

    def values(self) -> dict[str, Any]:
        """Metric → number; what was not measured is left out."""
        return {name: value for name, value in asdict(self.metrics).items() if not math.isnan(value)}


def folder(name: str) -> Path:
    """A public data set.

    Raises:
        SystemExit: it is not there.
    """
    path = DATA / name
    if not path.is_dir():
        next_command = "REFRAIN_TEST_DATA=folder python -m benchmarks.quality_recommendation"
        raise SystemExit(str(InputError(expected=name, found=f"no folder {path}", next_command=next_command)))
    return path


def full_ranking(
    fit: Fitted, heard: dict[int, np.ndarray], relevant: dict[int, np.ndarray], tracks: int, batch: int = 200
) -> RankingMetrics:
    """Lists over all tracks for all users who have something relevant, what they heard left out."""
    asked = np.array([user for user, found in relevant.items() if len(found)], np.int64)
    ranked: dict[int, np.ndarray] = {}
    for first in range(0, len(asked), batch):
        users = asked[first : first + batch]
        for user, scores in zip(users.tolist(), fit.scores(users), strict=True):
            ranked[user] = rank_all(scores, heard.get(user, np.empty(0, np.int64)), 20)
    return ranking_metrics(ranked, relevant, tracks)
