"""Candidates of one listener: what several sources found, each track once.

Every source tells tracks in its own order, best first; from each the first so many that may be recommended are taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SOURCES = ("taste", "similar", "follows", "content", "popular", "fresh")
"""Where a candidate comes from; of several, the first of these is named."""
LIMITS: dict[str, int] = {"taste": 200, "similar": 150, "follows": 100, "content": 100, "popular": 100, "fresh": 30}
"""Tracks that each source may bring."""


@dataclass(frozen=True)
class Pool:
    """Tracks to choose from, each once, in order of their place.

    Attributes:
        places: (n,) int64 numbers of tracks in the catalogue.
        source: (n,) places in ``SOURCES``.
        similar: (n,) float64, how much a track goes with the history; 0 if nothing says so.
        follows: (n,) float64, how much it follows the last plays; likewise.
    """

    places: np.ndarray
    source: np.ndarray
    similar: np.ndarray
    follows: np.ndarray

    def keep(self, wanted: np.ndarray) -> "Pool":
        """Those that ``wanted`` selects: a mask (n,) or places in the order wanted."""
        return Pool(self.places[wanted], self.source[wanted], self.similar[wanted], self.follows[wanted])

    def __len__(self) -> int:
        return len(self.places)


def pool(
    found: Mapping[str, np.ndarray],
    unwanted: np.ndarray,
    *,
    similar: tuple[np.ndarray, np.ndarray] | None = None,
    follows: tuple[np.ndarray, np.ndarray] | None = None,
    at_least: int = 0,
    share: float = 1.0,
) -> Pool:
    """Put candidates together.

    Args:
        found: source → places, best first; those of ``similar`` and ``follows`` may be left out, they follow from
            the scores.
        unwanted: places that must not be among them: heard, blocked.
        similar: places in ascending order and their scores, by ``Neighbours.ask`` of the history.
        follows: likewise of the last plays.
        at_least: each source may bring so many, if that is more than its limit.
        share: of its limit that each source may bring.
    """
    ordered = dict(found)
    for name, scored in (("similar", similar), ("follows", follows)):
        if scored is not None and len(scored[0]):
            ordered[name] = scored[0][np.argsort(-scored[1], kind="stable")]
    barred = np.unique(unwanted)
    chosen, source = [np.empty(0, np.int64)], [np.empty(0, np.int8)]
    for number, name in enumerate(SOURCES):
        if name in ordered:
            rows = ordered[name]
            rows = rows[~_among(rows, barred)][: max(round(share * LIMITS[name]), at_least)]
            chosen.append(rows)
            source.append(np.full(len(rows), number, np.int8))
    places, first = np.unique(np.concatenate(chosen), return_index=True)
    return Pool(places, np.concatenate(source)[first], _scores(places, similar), _scores(places, follows))


def _among(rows: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    if not len(ascending):
        return np.zeros(len(rows), bool)
    near = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    return np.asarray(ascending[near] == rows)


def _scores(places: np.ndarray, scored: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    if scored is None or not len(scored[0]):
        return np.zeros(len(places))
    near = np.minimum(np.searchsorted(scored[0], places), len(scored[0]) - 1)
    return np.where(scored[0][near] == places, scored[1][near], 0.0)
