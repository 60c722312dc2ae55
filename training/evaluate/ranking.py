"""Metrics of rankings: full lists against what was really played, no sampled negatives."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RankingMetrics:
    """Means over users.

    Attributes:
        ndcg_at_10: normalised discounted cumulative gain, binary relevance.
        recall_at_20: share of the relevant tracks among the first 20.
        coverage_at_10: share of the catalogue that anybody got among their first 10.
        users: how many users were measured.
        ndcg_interval: half width of the 95 % interval of ``ndcg_at_10`` over users (normal approximation).
    """

    ndcg_at_10: float
    recall_at_20: float
    coverage_at_10: float
    users: int
    ndcg_interval: float


def rank_all(scores: np.ndarray, seen: np.ndarray, depth: int) -> np.ndarray:
    """Best tracks first: (depth,) places in ``scores`` (tracks,), without ``seen``; ties by place."""
    masked = scores.astype(float, copy=True)
    masked[seen] = -np.inf
    order = np.argsort(-masked, kind="stable")[:depth]
    return order[np.isfinite(masked[order])]


def ndcg(ranked: np.ndarray, relevant: np.ndarray, depth: int = 10) -> float:
    """NDCG of one list with binary relevance (Järvelin, Kekäläinen 2002).

    >>> ndcg(np.array([3, 1, 2]), np.array([3]))
    1.0
    """
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    hits = np.isin(ranked[:depth], relevant)
    return float(discounts[: len(hits)][hits].sum() / discounts[: min(len(relevant), depth)].sum())


def recall(ranked: np.ndarray, relevant: np.ndarray, depth: int = 20) -> float:
    """Share of the relevant tracks among the first ``depth``."""
    return float(np.isin(ranked[:depth], relevant).sum() / len(relevant))


def ranking_metrics(
    ranked: Mapping[int, np.ndarray], relevant: Mapping[int, np.ndarray], catalogue: int
) -> RankingMetrics:
    """Measure the lists of all users who have something relevant.

    Args:
        ranked: user to tracks, best first, seen ones left out.
        relevant: user to the distinct unseen tracks they went on to play.
        catalogue: number of tracks that could be recommended.
    """
    users = [user for user, tracks in relevant.items() if len(tracks)]
    gains = np.array([ndcg(ranked[user], relevant[user]) for user in users])
    shown = {int(track) for user in users for track in ranked[user][:10]}
    return RankingMetrics(
        ndcg_at_10=float(gains.mean()) if users else float("nan"),
        recall_at_20=float(np.mean([recall(ranked[user], relevant[user]) for user in users]))
        if users
        else float("nan"),
        coverage_at_10=len(shown) / max(catalogue, 1),
        users=len(users),
        ndcg_interval=float(1.96 * gains.std(ddof=1) / np.sqrt(len(users))) if len(users) > 1 else float("nan"),
    )
