"""Metrics of rankings: full lists against what was really played, no sampled negatives.

Sampled negatives mislead (Krichene, Rendle: On Sampled Metrics for Item Recommendation, KDD 2020): the order of models
flips with their number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

NOTHING = float("nan")


@dataclass(frozen=True)
class RankingMetrics:
    """Means over users.

    Attributes:
        ndcg_at_10: normalised discounted cumulative gain, binary relevance.
        recall_at_20: share of the relevant tracks among the first 20.
        coverage_at_10: share of the catalogue that anybody got among their first 10.
        users: how many users were measured.
        ndcg_interval: half width of the 95 % interval of ``ndcg_at_10`` over users (normal approximation).
        recall_at_10: share of the relevant tracks among the first 10.
        mrr_at_10: one over the place of the first relevant track, 0 if it is not among the first 10.
        map_at_10: mean over the relevant tracks, 10 at most, of the precision down to their place; 0 for those below.
        novelty_at_10: mean bits that it tells that a shown track is played: −log₂ of the share of past listeners who
            played it (Zhou et al. 2010, self-information); NaN if popularity is not given.
        diversity_at_10: mean 1 − cosine of two tracks of a list (Ziegler et al. 2005, intra-list); NaN without vectors.
        popularity_lift: mean popularity of what is shown over that of what the same users had played, − 1
            (Abdollahpouri et al. 2019); 0 for no bias.
    """

    ndcg_at_10: float
    recall_at_20: float
    coverage_at_10: float
    users: int
    ndcg_interval: float
    recall_at_10: float = NOTHING
    mrr_at_10: float = NOTHING
    map_at_10: float = NOTHING
    novelty_at_10: float = NOTHING
    diversity_at_10: float = NOTHING
    popularity_lift: float = NOTHING


@dataclass(frozen=True)
class Catalogue:
    """What was known of tracks when they were recommended.

    Attributes:
        tracks: how many could be recommended.
        listeners: (tracks,) distinct past listeners of each; empty if it is not to be measured.
        past_users: distinct past listeners of any.
        vectors: (tracks, d) that say which are alike; empty likewise.
        history: user to tracks they had played; for the popularity of what they like by themselves.
    """

    tracks: int
    listeners: np.ndarray = field(default_factory=lambda: np.empty(0))
    past_users: int = 0
    vectors: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    history: Mapping[int, np.ndarray] = field(default_factory=dict)


def rank_all(scores: np.ndarray, seen: np.ndarray, depth: int) -> np.ndarray:
    """Best tracks first: (depth,) places in ``scores`` (tracks,), without ``seen``; ties by place."""
    masked = scores.astype(float, copy=True)
    masked[seen] = -np.inf
    if len(masked) > 4 * depth:  # sort those alone that can be among the first
        least = np.partition(masked, len(masked) - depth)[len(masked) - depth]
        likely = np.flatnonzero(masked >= least)
        order = likely[np.argsort(-masked[likely], kind="stable")][:depth]
    else:
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


def reciprocal_rank(ranked: np.ndarray, relevant: np.ndarray, depth: int = 10) -> float:
    """One over the place of the first relevant track.

    >>> reciprocal_rank(np.array([3, 1, 2]), np.array([1, 2]))
    0.5
    """
    hits = np.flatnonzero(np.isin(ranked[:depth], relevant))
    return float(1 / (hits[0] + 1)) if len(hits) else 0.0


def average_precision(ranked: np.ndarray, relevant: np.ndarray, depth: int = 10) -> float:
    """Mean of the precision down to each relevant track.

    >>> average_precision(np.array([3, 1, 2]), np.array([1, 2]))  # (1/2 + 2/3) / 2
    0.5833333333333333
    """
    hits = np.isin(ranked[:depth], relevant)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / min(len(relevant), depth))


def ranking_metrics(
    ranked: Mapping[int, np.ndarray], relevant: Mapping[int, np.ndarray], catalogue: Catalogue | int
) -> RankingMetrics:
    """Measure the lists of all users who have something relevant.

    Args:
        ranked: user to tracks, best first, seen ones left out.
        relevant: user to the distinct unseen tracks they went on to play.
        catalogue: what could be recommended; its size alone will do.
    """
    known = Catalogue(catalogue) if isinstance(catalogue, int) else catalogue
    users = [user for user, tracks in relevant.items() if len(tracks)]
    gains = np.array([ndcg(ranked[user], relevant[user]) for user in users])
    shown = {int(track) for user in users for track in ranked[user][:10]}

    def mean(measure: Callable[[np.ndarray, np.ndarray, int], float], depth: int = 10) -> float:
        values = [measure(ranked[user], relevant[user], depth) for user in users]
        return float(np.mean(values)) if values else NOTHING

    return RankingMetrics(
        ndcg_at_10=float(gains.mean()) if users else NOTHING,
        recall_at_20=mean(recall, 20),
        coverage_at_10=len(shown) / max(known.tracks, 1),
        users=len(users),
        ndcg_interval=float(1.96 * gains.std(ddof=1) / np.sqrt(len(users))) if len(users) > 1 else NOTHING,
        recall_at_10=mean(recall),
        mrr_at_10=mean(reciprocal_rank),
        map_at_10=mean(average_precision),
        novelty_at_10=_novelty(ranked, users, known),
        diversity_at_10=_diversity(ranked, users, known),
        popularity_lift=_popularity_lift(ranked, users, known),
    )


def by_segment(
    ranked: Mapping[int, np.ndarray],
    relevant: Mapping[int, np.ndarray],
    history: Mapping[int, np.ndarray],
    listeners: np.ndarray,
    *,
    light: int = 20,
    heavy: int = 100,
    head: float = 0.2,
) -> dict[str, RankingMetrics]:
    """The same metrics for some of the users, and for some of the tracks.

    Args:
        ranked: user to tracks, best first.
        relevant: user to tracks they went on to play.
        history: user to distinct tracks before; nobody's is empty for new users.
        listeners: (tracks,) distinct past listeners.
        light: fewer distinct tracks than this make a light listener.
        heavy: so many or more make a heavy one.
        head: share of the tracks, the most heard, that are head; the others are tail.

    Returns:
        ``new`` (no history), ``light``, ``medium``, ``heavy`` listeners; ``head`` and ``tail`` tracks, for which only
        those of them are relevant. Segments without anybody are left out.
    """
    sizes = {user: len(history.get(user, ())) for user in relevant}
    groups = {
        "new": [user for user, size in sizes.items() if size == 0],
        "light": [user for user, size in sizes.items() if 0 < size < light],
        "medium": [user for user, size in sizes.items() if light <= size < heavy],
        "heavy": [user for user, size in sizes.items() if size >= heavy],
    }
    found = {
        name: ranking_metrics(ranked, {user: relevant[user] for user in users}, len(listeners))
        for name, users in groups.items()
    }
    popular = np.zeros(len(listeners), bool)
    popular[np.argsort(-listeners, kind="stable")[: round(head * len(listeners))]] = True
    for name, mask in (("head", popular), ("tail", ~popular)):
        part = {user: tracks[mask[tracks]] for user, tracks in relevant.items()}
        found[name] = ranking_metrics(ranked, part, len(listeners))
    return {name: numbers for name, numbers in found.items() if numbers.users}


def _novelty(ranked: Mapping[int, np.ndarray], users: list[int], known: Catalogue) -> float:
    if not len(known.listeners) or not users:
        return NOTHING
    bits = -np.log2((known.listeners + 1) / (known.past_users + 1))
    return float(np.mean([bits[ranked[user][:10]].mean() for user in users if len(ranked[user])]))


def _diversity(ranked: Mapping[int, np.ndarray], users: list[int], known: Catalogue) -> float:
    if not len(known.vectors) or not users:
        return NOTHING
    unit = known.vectors / np.maximum(np.linalg.norm(known.vectors, axis=1, keepdims=True), 1e-12)
    found = []
    for user in users:
        first = unit[ranked[user][:10]]
        size = len(first)
        if size > 1:
            cosine = float(first.sum(axis=0) @ first.sum(axis=0) - np.einsum("nd,nd->", first, first))
            found.append(1 - cosine / (size * (size - 1)))
    return float(np.mean(found)) if found else NOTHING


def _popularity_lift(ranked: Mapping[int, np.ndarray], users: list[int], known: Catalogue) -> float:
    asked = [user for user in users if len(known.history.get(user, ())) and len(ranked[user])]
    if not len(known.listeners) or not asked:
        return NOTHING
    shown = np.mean([known.listeners[ranked[user][:10]].mean() for user in asked])
    own = np.mean([known.listeners[known.history[user]].mean() for user in asked])
    return float(shown / own - 1) if own else NOTHING
