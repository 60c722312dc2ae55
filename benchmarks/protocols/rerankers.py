"""Rivals of the re-ranker of the long tail: one function each, from one list of candidates to its first ten.

Each takes the candidates of a listener, best first, with gains from 0 to 1, and one parameter, of which more means more
exposure of the long tail.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from inference.recommend.diversify import calibrated, mmr
from transforms.pure.candidates.exposure import raise_exposure

COUNT = 10
BOUND = 0.05
"""Largest share of its gain that a list may lose, of the re-ranker that serves."""


@dataclass(frozen=True)
class Candidates:
    """The candidates of one listener.

    Attributes:
        gains: (n,) scores scaled from 0 to 1, descending.
        is_tail: (n,) whether each is in the long tail.
        popularity: (n,) logarithm of 1 + past listeners, scaled to 0 to 1.
        tail_share: share of the long tail in what the listener played.
        vectors: (n, d) vectors to compare candidates by.
    """

    gains: np.ndarray
    is_tail: np.ndarray
    popularity: np.ndarray
    tail_share: float
    vectors: np.ndarray


Reranker = Callable[[Candidates, float], np.ndarray]
"""From candidates and a parameter to (10,) rows, best first."""


def bounded_bonus(candidates: Candidates, bonus: float) -> np.ndarray:
    """The re-ranker that serves: a bonus for the long tail, with a bound on the loss of each list."""
    rows = np.arange(len(candidates.gains))
    return raise_exposure(rows, candidates.gains, candidates.is_tail, COUNT, bonus, BOUND)[0][:COUNT]


def popularity_penalty(candidates: Candidates, weight: float) -> np.ndarray:
    """Subtract the logarithm of popularity."""
    return np.argsort(-(candidates.gains - weight * candidates.popularity), kind="stable")[:COUNT]


def xquad(candidates: Candidates, weight: float) -> np.ndarray:
    """Smooth xQuAD of Abdollahpouri, Burke and Mobasher, 2019: until head and tail are covered as the listener plays.

    Of the two categories, the weight of each is its share of the listener's plays, and what is still uncovered of it is
    1 − its share of the list so far.
    """
    chosen: list[int] = []
    left = np.ones(len(candidates.gains), bool)
    for _ in range(COUNT):
        tail_covered = float(candidates.is_tail[chosen].mean()) if chosen else 0.0
        head_covered = 1 - tail_covered if chosen else 0.0
        bonus = np.where(
            candidates.is_tail,
            candidates.tail_share * (1 - tail_covered),
            (1 - candidates.tail_share) * (1 - head_covered),
        )
        value = np.where(left, (1 - weight) * candidates.gains + weight * bonus, -np.inf)
        chosen.append(int(value.argmax()))
        left[chosen[-1]] = False
    return np.array(chosen)


def steck(candidates: Candidates, weight: float) -> np.ndarray:
    """Steck's calibrated re-ranking, 2018, to the listener's shares of head and tail in the place of genres."""
    groups = [["tail"] if tail else ["head"] for tail in candidates.is_tail.tolist()]
    target = {"head": 1 - candidates.tail_share, "tail": candidates.tail_share}
    target = {name: share for name, share in target.items() if share > 0}
    return calibrated(np.arange(len(groups)), candidates.gains, groups, target, COUNT, weight)[:COUNT]


def mmr_of_vectors(candidates: Candidates, weight: float) -> np.ndarray:
    """Maximal marginal relevance by the tags of artists, which does not know of the long tail."""
    return mmr(np.arange(len(candidates.gains)), candidates.gains, candidates.vectors, COUNT, weight)[:COUNT]


def fa_ir(candidates: Candidates, share: float, significance: float = 0.1) -> np.ndarray:
    """FA*IR of M. Zehlike et al., 2017: every prefix has as many of the tail as a fair draw of that share would have.

    Not adjusted for testing several prefixes.
    """
    chosen: list[int] = []
    tails, heads = (np.flatnonzero(candidates.is_tail == kind).tolist() for kind in (True, False))
    least = binom.ppf(significance, np.arange(1, COUNT + 1), share).astype(int)
    for needed in least.tolist():
        have = sum(bool(candidates.is_tail[row]) for row in chosen)
        must = bool(tails) and (have < needed or not heads or tails[0] < heads[0])
        chosen.append((tails if must else heads or tails).pop(0))
    return np.array(chosen)


RERANKERS: dict[str, Reranker] = {
    "bounded bonus": bounded_bonus,
    "popularity penalty": popularity_penalty,
    "xQuAD": xquad,
    "calibrated (Steck)": steck,
    "FA*IR": fa_ir,
    "MMR": mmr_of_vectors,
}
