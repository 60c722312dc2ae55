"""How well a run's model fits the listeners of one folder: on what they played for the first time after the cutoff."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from scipy import sparse

from training.datasets import Interactions
from training.evaluate import RankingMetrics, rank_all, ranking_metrics
from training.evaluate.ranking import ndcg
from training.exact import gram
from training.models.recommendation.ease import EASE
from training.models.recommendation.weighting import Weighting
from training.validation.evidence import MODEL_KEY, Evidence

MODEL, ALONE, POPULARITY, RANDOM = "federated", "this folder alone", "popularity_28d", "random"
DEPTH = 20
FEWEST = 2
"""Fewest listeners that are measured; the gates are undecided with few."""


@dataclass(frozen=True)
class Measured:
    """Figures of a run's model.

    Attributes:
        listeners: number of listeners.
        metrics: model or baseline → metrics.
        evidence: NDCG@10 of each listener.
    """

    listeners: int
    metrics: Mapping[str, RankingMetrics]
    evidence: Evidence

    def flat(self) -> dict[str, float]:
        """The metrics for a record of the run; values that are not finite are left out."""
        return {
            f"{metric}_{name.replace(' ', '_')}": value
            for name, figures in self.metrics.items()
            for metric, value in asdict(figures).items()
            if np.isfinite(value)
        }


def measure(
    interactions: Interactions,
    cutoff: int,
    weights: np.ndarray | sparse.csr_array,
    tracks: np.ndarray,
    popular: np.ndarray,
) -> Measured | None:
    """Measures weights between tracks beside weights of the same plays alone, popularity, and lists at random.

    Args:
        interactions: all plays of the folder.
        cutoff: µs since 1970 UTC; only earlier plays were counted.
        weights: (m, m) weights between some of the tracks.
        tracks: (m,) their numbers.
        popular: (tracks,) plays in the weeks before the cutoff.

    Returns:
        The figures; None if fewer than two listeners have new tracks.
    """
    heard, new = interactions.heard_and_new(cutoff, int(interactions.time[-1]) + 1 if len(interactions.time) else 0)
    users = sorted(user for user, relevant in new.items() if len(relevant))
    if len(users) < FEWEST or not len(tracks):
        return None
    history = Weighting().matrix(interactions.before(cutoff), cutoff)
    alone = EASE().solve(gram.count(EASE().rows(interactions, cutoff)))
    scores = {MODEL: np.full((len(users), interactions.shape[1]), -np.inf)}
    product = history[users][:, tracks] @ weights
    scores[MODEL][:, tracks] = product.toarray() if sparse.issparse(product) else product
    scores[ALONE] = np.asarray(history[users] @ alone)
    scores[POPULARITY] = np.broadcast_to(popular, (len(users), len(popular)))
    scores[RANDOM] = np.random.default_rng(0).random((len(users), len(popular)))
    lists = {
        name: {user: rank_all(row, heard[user], DEPTH) for user, row in zip(users, rows, strict=True)}
        for name, rows in scores.items()
    }
    relevant = {user: new[user] for user in users}
    metrics = {name: ranking_metrics(ranked, relevant, interactions.shape[1]) for name, ranked in lists.items()}
    gains = {
        MODEL_KEY if name == MODEL else name: np.array([ndcg(ranked[user], relevant[user]) for user in users])
        for name, ranked in lists.items()
        if name != ALONE
    }
    ids = [interactions.user_ids[user] for user in users]
    return Measured(len(users), metrics, Evidence.of("ndcg_at_10", ids, gains, higher_is_better=True))
