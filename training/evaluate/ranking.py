"""Ranking metrics: full lists against the tracks that users really played, without sampled negatives.

Sampled negatives mislead (Krichene, Rendle: On Sampled Metrics for Item Recommendation, KDD 2020): the order of models
flips with their number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

NOTHING = float("nan")


@dataclass(frozen=True)
class RankingMetrics:
    """Means of ranking metrics over users.

    Attributes:
        ndcg_at_10: normalised discounted cumulative gain, binary relevance.
        recall_at_20: share of the relevant tracks among the first 20.
        coverage_at_10: share of the catalogue that is among the first 10 of at least one user.
        users: how many users were measured.
        ndcg_interval: half width of the 95 % interval of ``ndcg_at_10`` over users (normal approximation).
        recall_at_10: share of the relevant tracks among the first 10.
        mrr_at_10: one over the place of the first relevant track, 0 if it is not among the first 10.
        map_at_10: mean over the relevant tracks, 10 at most, of the precision down to their place; 0 for those below.
        novelty_at_10: mean self-information of the shown tracks in bits: −log₂ of the share of past listeners who
            played the track (Zhou et al. 2010); NaN if popularity is not given.
        diversity_at_10: mean 1 − cosine of two tracks of a list (Ziegler et al. 2005, intra-list); NaN without vectors.
        popularity_lift: mean popularity of the shown tracks over that of the same users' history, − 1
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
    """What was known of the tracks when they were recommended.

    Attributes:
        tracks: number of tracks that could be recommended.
        listeners: (tracks,) distinct past listeners of each track; empty to skip novelty and popularity.
        past_users: distinct past listeners of any track.
        vectors: (tracks, d) vectors to compare tracks by; empty to skip diversity.
        history: user → tracks they had played, for the popularity of their own choices.
    """

    tracks: int
    listeners: np.ndarray = field(default_factory=lambda: np.empty(0))
    past_users: int = 0
    vectors: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    history: Mapping[int, np.ndarray] = field(default_factory=dict)


def rank_all(scores: np.ndarray, seen: np.ndarray, depth: int) -> np.ndarray:
    """Ranks the best tracks first: (depth,) places in ``scores`` (tracks,), without ``seen``; ties by place."""
    masked = scores.astype(float, copy=True)
    masked[seen] = -np.inf
    if len(masked) > 4 * depth:  # sort only those that can be among the first
        threshold = np.partition(masked, len(masked) - depth)[len(masked) - depth]
        candidates = np.flatnonzero(masked >= threshold)
        order = candidates[np.argsort(-masked[candidates], kind="stable")][:depth]
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
    """Measures the lists of all users who have a relevant track.

    Args:
        ranked: user → tracks, best first, without seen tracks.
        relevant: user → distinct unseen tracks they played later.
        catalogue: the catalogue, or only its size.
    """
    known_catalogue = Catalogue(catalogue) if isinstance(catalogue, int) else catalogue
    users = [user for user, tracks in relevant.items() if len(tracks)]
    gains = np.array([ndcg(ranked[user], relevant[user]) for user in users])
    shown_tracks = {int(track) for user in users for track in ranked[user][:10]}

    def mean(measure: Callable[[np.ndarray, np.ndarray, int], float], depth: int = 10) -> float:
        values = [measure(ranked[user], relevant[user], depth) for user in users]
        return float(np.mean(values)) if values else NOTHING

    return RankingMetrics(
        ndcg_at_10=float(gains.mean()) if users else NOTHING,
        recall_at_20=mean(recall, 20),
        coverage_at_10=len(shown_tracks) / max(known_catalogue.tracks, 1),
        users=len(users),
        ndcg_interval=float(1.96 * gains.std(ddof=1) / np.sqrt(len(users))) if len(users) > 1 else NOTHING,
        recall_at_10=mean(recall),
        mrr_at_10=mean(reciprocal_rank),
        map_at_10=mean(average_precision),
        novelty_at_10=_novelty(ranked, users, known_catalogue),
        diversity_at_10=_diversity(ranked, users, known_catalogue),
        popularity_lift=_popularity_lift(ranked, users, known_catalogue),
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
    """Computes the same metrics for segments of users and of tracks.

    Args:
        ranked: user → tracks, best first.
        relevant: user → tracks they played later.
        history: user → distinct tracks played before; empty for new users.
        listeners: (tracks,) distinct past listeners.
        light: a listener with fewer distinct tracks is light.
        heavy: a listener with this many distinct tracks or more is heavy.
        head: share of the tracks, by listeners, that are head; the others are tail.

    Returns:
        ``new`` (no history), ``light``, ``medium``, ``heavy`` listeners; ``head`` and ``tail`` tracks, where only these
        tracks are relevant. Segments without users are left out.
    """
    sizes = {user: len(history.get(user, ())) for user in relevant}
    groups = {
        "new": [user for user, size in sizes.items() if size == 0],
        "light": [user for user, size in sizes.items() if 0 < size < light],
        "medium": [user for user, size in sizes.items() if light <= size < heavy],
        "heavy": [user for user, size in sizes.items() if size >= heavy],
    }
    metrics = {
        name: ranking_metrics(ranked, {user: relevant[user] for user in users}, len(listeners))
        for name, users in groups.items()
    }
    popular = np.zeros(len(listeners), bool)
    popular[np.argsort(-listeners, kind="stable")[: round(head * len(listeners))]] = True
    for name, mask in (("head", popular), ("tail", ~popular)):
        relevant_part = {user: tracks[mask[tracks]] for user, tracks in relevant.items()}
        metrics[name] = ranking_metrics(ranked, relevant_part, len(listeners))
    return {name: values for name, values in metrics.items() if values.users}


def _novelty(ranked: Mapping[int, np.ndarray], users: list[int], catalogue: Catalogue) -> float:
    if not len(catalogue.listeners) or not users:
        return NOTHING
    bits = -np.log2((catalogue.listeners + 1) / (catalogue.past_users + 1))
    return float(np.mean([bits[ranked[user][:10]].mean() for user in users if len(ranked[user])]))


def _diversity(ranked: Mapping[int, np.ndarray], users: list[int], catalogue: Catalogue) -> float:
    if not len(catalogue.vectors) or not users:
        return NOTHING
    unit = catalogue.vectors / np.maximum(np.linalg.norm(catalogue.vectors, axis=1, keepdims=True), 1e-12)
    diversities = []
    for user in users:
        first = unit[ranked[user][:10]]
        size = len(first)
        if size > 1:
            cosine = float(first.sum(axis=0) @ first.sum(axis=0) - np.einsum("nd,nd->", first, first))
            diversities.append(1 - cosine / (size * (size - 1)))
    return float(np.mean(diversities)) if diversities else NOTHING


def _popularity_lift(ranked: Mapping[int, np.ndarray], users: list[int], catalogue: Catalogue) -> float:
    measured_users = [user for user in users if len(catalogue.history.get(user, ())) and len(ranked[user])]
    if not len(catalogue.listeners) or not measured_users:
        return NOTHING
    shown_popularity = np.mean([catalogue.listeners[ranked[user][:10]].mean() for user in measured_users])
    own_popularity = np.mean([catalogue.listeners[catalogue.history[user]].mean() for user in measured_users])
    return float(shown_popularity / own_popularity - 1) if own_popularity else NOTHING
