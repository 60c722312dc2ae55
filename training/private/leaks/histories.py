"""What people's plays add to the sums of recommenders, and what the recommenders then say of each person."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions
from training.exact import gram
from training.exact.bounds import newest_plays
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.knowledge import MOST_IN_PAIRS, MOST_PLAYS
from training.private.leaks.people_sums import SumScores, steps
from training.private.leaks.rank_one import confidences

MOST_CELLS = 20_000_000
"""Cells of all worlds together that are in memory at once."""


def drawn_people(interactions: Interactions, most: int, seed: int) -> Interactions:
    """The plays of at most so many people, renumbered."""
    played = np.unique(interactions.user)
    people = np.sort(np.random.default_rng(seed).permutation(played)[:most])
    plays = interactions.only(np.isin(interactions.user, people))
    return Interactions(
        [interactions.user_ids[person] for person in people.tolist()],
        interactions.track_ids,
        interactions.artist_ids,
        np.searchsorted(people, plays.user),
        plays.track,
        plays.time,
    )


def histories(plays: Interactions) -> sparse.csr_array:
    """(people, tracks) 1 where a person has played a track."""
    rows = sparse.csr_array((np.ones(len(plays.user), np.int64), (plays.user, plays.track)), plays.shape)
    rows.sum_duplicates()
    rows.data[:] = 1
    return rows


def bounded_plays(plays: Interactions) -> sparse.csr_array:
    """(people, tracks) plays of a person that count in popularity."""
    counted = newest_plays(plays.user, plays.track, MOST_PLAYS)
    entries = (np.ones(int(counted.sum()), np.int64), (plays.user[counted], plays.track[counted]))
    rows = sparse.csr_array(entries, plays.shape)
    rows.sum_duplicates()
    return rows


def bounded_steps(plays: Interactions) -> sparse.csr_array:
    """(people, cells) how often a person plays a track directly after another, as far as transitions count it."""
    order = np.argsort(plays.user, kind="stable")
    user, track = plays.user[order], plays.track[order]
    counted = newest_plays(user, track, MOST_IN_PAIRS)
    return steps(user[counted], track[counted], plays.shape[1], plays.shape[0])


def most_worlds(worlds: int, cells: int) -> int:
    """Number of worlds whose sums are in memory at once, even and at least 12.

    >>> most_worlds(128, 10), most_worlds(128, 500_000), most_worlds(128, 5_000_000)
    (128, 40, 12)
    """
    return max(min(worlds, MOST_CELLS // max(cells, 1) // 2 * 2), 12)


def ease_scores(
    rows: sparse.csr_array, is_in: np.ndarray, regularization: float, progress: Callable[[int, int, str], None]
) -> SumScores:
    """Scores of everybody in every world by the weights of EASE, with and without each person."""
    weights = rows.astype(np.float64)
    inside, outside = [], []
    for number, world in enumerate(is_in, 1):
        part = rows[np.flatnonzero(world)]
        with_person, without = confidences((part.T @ part).toarray(), weights, world, regularization)
        inside.append(with_person)
        outside.append(without)
        progress(number, len(is_in), "weights of EASE")
    return SumScores(np.array(inside), np.array(outside))


def knn_confidence(rows: sparse.csr_array, is_in: np.ndarray) -> np.ndarray:
    """(people,) mean score of a person's tracks from their other tracks, by item-kNN of the people in a world."""
    weights = ItemKNN().solve(gram.count(rows[np.flatnonzero(is_in)]))
    scores = rows.astype(np.float64) @ weights
    own = np.asarray(rows.multiply(scores).sum(axis=1)).ravel()
    return np.asarray(np.log1p(own / np.maximum(np.diff(rows.indptr), 1)))
