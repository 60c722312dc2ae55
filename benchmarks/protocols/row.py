"""Results of protocols: one row per model."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.evaluate import RankingMetrics, rank_all, ranking_metrics
from training.models.recommendation.contract import Fitted


@dataclass(frozen=True)
class Row:
    """The result of one model.

    Attributes:
        model: name of the model.
        setting: setting chosen on validation.
        metrics: metrics on the test part.
        seed: seed of the split; None if there is only one split.
    """

    model: str
    setting: str
    metrics: RankingMetrics
    seed: int | None = None

    def values(self) -> dict[str, Any]:
        """Return metric → value without metrics that were not measured."""
        return {name: value for name, value in asdict(self.metrics).items() if not math.isnan(value)}


def full_ranking(
    fit: Fitted, heard: dict[int, np.ndarray], relevant: dict[int, np.ndarray], tracks: int, batch: int = 200
) -> RankingMetrics:
    """Rank all unheard tracks for every user with relevant tracks, and compute the metrics."""
    users_measured = np.array([user for user, tracks_relevant in relevant.items() if len(tracks_relevant)], np.int64)
    ranked: dict[int, np.ndarray] = {}
    for start in range(0, len(users_measured), batch):
        users = users_measured[start : start + batch]
        for user, scores in zip(users.tolist(), fit.scores(users), strict=True):
            ranked[user] = rank_all(scores, heard.get(user, np.empty(0, np.int64)), 20)
    return ranking_metrics(ranked, relevant, tracks)
