"""From an order by score to a list that is worth looking at: not all alike, not all by one artist.

Maximal marginal relevance: Carbonell, Goldstein: The Use of MMR, Diversity-Based Reranking (SIGIR 1998). Calibration:
Steck: Calibrated Recommendations (RecSys 2018).
"""

from collections.abc import Sequence

import numpy as np

LOOKED_AT = 5
"""Times the number of tracks wanted that are looked at, from the top."""
SMOOTHING = 0.01
"""Share of the wanted distribution in that of a list, so that no genre is infinitely far."""


def capped(order: np.ndarray, artists: np.ndarray, count: int, most: int) -> np.ndarray:
    """The first so many, few enough by each artist; where that leaves too few, the rest follows in its order.

    Args:
        order: (n,) rows, best first.
        artists: (rows,) number of each one's artist, -1 for unknown, who is never the same.
        count: how many.
        most: by one artist.
    """
    taken: dict[int, int] = {}
    first, rest = [], []
    for row in order.tolist():
        artist = int(artists[row])
        if artist >= 0 and taken.get(artist, 0) >= most:
            rest.append(row)
            continue
        taken[artist] = taken.get(artist, 0) + 1
        first.append(row)
        if len(first) == count:
            break
    return np.array([*first, *rest][:count], np.int64)


def mmr(order: np.ndarray, scores: np.ndarray, vectors: np.ndarray, count: int, diversity: float) -> np.ndarray:
    """Rows one after the other, each the best in (1 − d) · score − d · largest cosine with those before it.

    Args:
        order: (n,) rows, best first.
        scores: (rows,) brought to 0 to 1 among the rows of ``order``.
        vectors: (n, k) of the rows of ``order``, in its order.
        count: how many; the rest follows in its order.
        diversity: d, 0 to 1.
    """
    relevance = _unit_range(scores[order])
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    nearest = np.full(len(order), -np.inf)
    left = np.ones(len(order), bool)
    chosen: list[int] = []
    for _ in range(min(count, len(order))):
        penalty = np.where(np.isfinite(nearest), nearest, 0.0)
        value = np.where(left, (1 - diversity) * relevance - diversity * penalty, -np.inf)
        place = int(value.argmax())
        chosen.append(place)
        left[place] = False
        nearest = np.maximum(nearest, unit @ unit[place])
    return np.concatenate([order[chosen], order[left]])


def calibrated(
    order: np.ndarray,
    scores: np.ndarray,
    genres: Sequence[Sequence[str]],
    wanted: dict[str, float],
    count: int,
    diversity: float,
) -> np.ndarray:
    """Rows one after the other, each the best in (1 − d) · sum of scores − d · KL(what they like ‖ the list's genres).

    Args:
        order: (n,) rows, best first.
        scores: (rows,) brought to 0 to 1 among the rows of ``order``.
        genres: of the rows of ``order``, in its order.
        wanted: genre → share in what the listener plays, adding up to 1; empty for unknown.
        count: how many; the rest follows in its order.
        diversity: d, 0 to 1.
    """
    if not wanted:
        return order
    names = {name: column for column, name in enumerate(wanted)}
    shares = np.zeros((len(order), len(names)))
    for row, mine in enumerate(genres):
        for genre in mine:
            if genre in names:
                shares[row, names[genre]] = 1 / len(mine)
    target = np.array(list(wanted.values()))
    relevance = _unit_range(scores[order])
    total, gained = np.zeros(len(names)), 0.0
    left = np.ones(len(order), bool)
    chosen: list[int] = []
    for step in range(1, min(count, len(order)) + 1):
        lists = (total + shares) / step
        smooth = (1 - SMOOTHING) * lists + SMOOTHING * target
        distance = (target * np.log(target / smooth)).sum(axis=1)
        value = np.where(left, (1 - diversity) * (gained + relevance) - diversity * distance, -np.inf)
        place = int(value.argmax())
        chosen.append(place)
        left[place] = False
        total, gained = total + shares[place], gained + relevance[place]
    return np.concatenate([order[chosen], order[left]])


def genre_shares(history: Sequence[Sequence[str]]) -> dict[str, float]:
    """Genre → share in a history, each track one vote divided among its genres."""
    votes: dict[str, float] = {}
    for genres in history:
        for genre in genres:
            votes[genre] = votes.get(genre, 0.0) + 1 / len(genres)
    total = sum(votes.values())
    return {genre: vote / total for genre, vote in sorted(votes.items())}


def _unit_range(values: np.ndarray) -> np.ndarray:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    return (values - low) / (high - low) if high > low else np.zeros(len(values))
