"""Reranks candidates so that a list is diverse: not all tracks alike, not all by one artist.

Maximal marginal relevance: Carbonell, Goldstein: The Use of MMR, Diversity-Based Reranking (SIGIR 1998). Calibration:
Steck: Calibrated Recommendations (RecSys 2018).
"""

from collections.abc import Sequence

import numpy as np

RERANK_DEPTH = 5
"""Number of top candidates that are reranked, as a multiple of the requested number of tracks."""
SMOOTHING = 0.01
"""Share of the target distribution mixed into a list's genre shares, so that the divergence stays finite."""


def limit_per_artist(order: np.ndarray, artists: np.ndarray, count: int, max_per_artist: int) -> np.ndarray:
    """Take the first ``count`` rows with at most ``max_per_artist`` each; fill up with surplus rows in their order.

    Args:
        order: (n,) rows, best first.
        artists: (rows,) number of each row's artist, -1 if unknown. Unknown artists are not limited.
        count: number of rows.
        max_per_artist: maximum number of rows by one artist.
    """
    by_artist: dict[int, int] = {}
    kept, surplus = [], []
    for row in order.tolist():
        artist = int(artists[row])
        if artist >= 0 and by_artist.get(artist, 0) >= max_per_artist:
            surplus.append(row)
            continue
        by_artist[artist] = by_artist.get(artist, 0) + 1
        kept.append(row)
        if len(kept) == count:
            break
    return np.array([*kept, *surplus][:count], np.int64)


def mmr(order: np.ndarray, scores: np.ndarray, vectors: np.ndarray, count: int, diversity: float) -> np.ndarray:
    """Choose rows greedily, each the best by (1 − d) · score − d · largest cosine with the rows chosen before.

    Args:
        order: (n,) rows, best first.
        scores: (rows,) scores; they are scaled to 0 to 1 among the rows of ``order``.
        vectors: (n, k) vectors of the rows of ``order``, in its order.
        count: number of rows to choose; the other rows follow in their order.
        diversity: d, the weight of diversity, 0 to 1.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    value = (1 - diversity) * _unit_range(scores[order])  # -inf for rows that were chosen
    nearest = np.zeros(len(order))
    left = np.ones(len(order), bool)
    chosen: list[int] = []
    for step in range(min(count, len(order))):
        place = int((value - diversity * nearest).argmax())
        chosen.append(place)
        left[place], value[place] = False, -np.inf
        cosines = unit @ unit[place]
        nearest = np.maximum(nearest, cosines) if step else cosines
    return np.concatenate([order[chosen], order[left]])


def calibrated(
    order: np.ndarray,
    scores: np.ndarray,
    genres: Sequence[Sequence[str]],
    target_shares: dict[str, float],
    count: int,
    diversity: float,
) -> np.ndarray:
    """Choose rows greedily, each the best by (1 − d) · sum of scores − d · KL(target ‖ genre shares of the list).

    Args:
        order: (n,) rows, best first.
        scores: (rows,) scores; they are scaled to 0 to 1 among the rows of ``order``.
        genres: genres of the rows of ``order``, in its order.
        target_shares: genre → share in the listener's plays, adding up to 1; empty if unknown.
        count: number of rows to choose; the other rows follow in their order.
        diversity: d, the weight of calibration, 0 to 1.
    """
    if not target_shares:
        return order
    columns = {name: column for column, name in enumerate(target_shares)}
    shares = np.zeros((len(order), len(columns)))
    for row, track_genres in enumerate(genres):
        for genre in track_genres:
            if genre in columns:
                shares[row, columns[genre]] = 1 / len(track_genres)
    target = np.array(list(target_shares.values()))
    relevance = _unit_range(scores[order])
    total, gained = np.zeros(len(columns)), 0.0
    left = np.ones(len(order), bool)
    chosen: list[int] = []
    for step in range(1, min(count, len(order)) + 1):
        list_shares = (total + shares) / step
        smooth = (1 - SMOOTHING) * list_shares + SMOOTHING * target
        distance = (target * np.log(target / smooth)).sum(axis=1)
        value = np.where(left, (1 - diversity) * (gained + relevance) - diversity * distance, -np.inf)
        place = int(value.argmax())
        chosen.append(place)
        left[place] = False
        total, gained = total + shares[place], gained + relevance[place]
    return np.concatenate([order[chosen], order[left]])


def genre_shares(history: Sequence[Sequence[str]]) -> dict[str, float]:
    """Compute genre → share in a history. Each track has one vote, divided among its genres."""
    votes: dict[str, float] = {}
    for genres in history:
        for genre in genres:
            votes[genre] = votes.get(genre, 0.0) + 1 / len(genres)
    total = sum(votes.values())
    return {genre: vote / total for genre, vote in sorted(votes.items())}


def _unit_range(values: np.ndarray) -> np.ndarray:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    return (values - low) / (high - low) if high > low else np.zeros(len(values))
