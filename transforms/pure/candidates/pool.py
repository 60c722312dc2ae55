"""The candidates of one listener: tracks from several sources, each track once.

Every source ranks its tracks, best first. From each source, the first allowed tracks up to its limit are taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from feature_repo.distinct import distinct, is_among, without

SOURCES = ("taste", "similar", "follows", "content", "popular", "fresh")
"""Sources of candidates; a track of several sources is attributed to the first of them."""
LIMITS: dict[str, int] = {"taste": 200, "similar": 150, "follows": 100, "content": 100, "popular": 100, "fresh": 30}
"""Greatest number of tracks per source."""


@dataclass(frozen=True)
class Pool:
    """Candidate tracks, each once, ordered by number.

    Attributes:
        places: (n,) int64 numbers of the tracks in the catalogue.
        source: (n,) indices in ``SOURCES``.
        similar: (n,) float64 similarity to the listening history; 0 if there is none.
        follows: (n,) float64 score as a successor of the last plays; 0 if there is none.
    """

    places: np.ndarray
    source: np.ndarray
    similar: np.ndarray
    follows: np.ndarray

    def keep(self, selection: np.ndarray) -> "Pool":
        """Select candidates by a mask (n,) or by indices, in their order."""
        return Pool(self.places[selection], self.source[selection], self.similar[selection], self.follows[selection])

    def __len__(self) -> int:
        return len(self.places)


def pool(
    ranked: Mapping[str, np.ndarray],
    excluded: np.ndarray,
    *,
    similar: tuple[np.ndarray, np.ndarray] | None = None,
    follows: tuple[np.ndarray, np.ndarray] | None = None,
    at_least: int = 0,
    share: float = 1.0,
) -> Pool:
    """Merge the candidates of all sources.

    Args:
        ranked: source → track numbers, best first; ``similar`` and ``follows`` are ranked by the scores below.
        excluded: numbers of excluded tracks: heard or blocked.
        similar: track numbers in ascending order and their scores, from ``Neighbours.scores`` for the history.
        follows: track numbers in ascending order and their scores, from ``Neighbours.scores`` for the last plays.
        at_least: number of tracks that every source may contribute, even above its limit.
        share: factor of the limits.
    """
    scored = {name: pair for name, pair in (("similar", similar), ("follows", follows)) if pair and len(pair[0])}
    excluded = distinct(excluded)
    chosen, source = [np.empty(0, np.int64)], [np.empty(0, np.int8)]
    for number, name in enumerate(SOURCES):
        limit = max(round(share * LIMITS[name]), at_least)
        if name in scored:
            tracks, scores = scored[name]
            allowed = without(tracks, excluded)
            rows = _best(tracks[allowed], scores[allowed], limit)
        elif name in ranked:
            rows = ranked[name][: limit + len(excluded)]  # at most so many of them are excluded
            rows = rows[~is_among(rows, excluded)][:limit]
        else:
            continue
        chosen.append(rows)
        source.append(np.full(len(rows), number, np.int8))
    places, first = np.unique(np.concatenate(chosen), return_index=True)
    return Pool(places, np.concatenate(source)[first], _scores(places, similar), _scores(places, follows))


def _best(tracks: np.ndarray, scores: np.ndarray, limit: int) -> np.ndarray:
    """The first tracks by score, best first; of equal scores the lower place in ``tracks`` first."""
    negated = -scores
    if len(tracks) > 2 * limit > 0:  # sorting all of them would cost more
        is_best = ~(negated > np.partition(negated, limit - 1)[limit - 1])
        tracks, negated = tracks[is_best], negated[is_best]
    return tracks[np.argsort(negated, kind="stable")][:limit]


def _scores(places: np.ndarray, scored: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    if scored is None or not len(scored[0]):
        return np.zeros(len(places))
    nearest = np.minimum(np.searchsorted(scored[0], places), len(scored[0]) - 1)
    return np.where(scored[0][nearest] == places, scored[1][nearest], 0.0)
