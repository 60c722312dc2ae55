"""Membership from published sums over people: all shadow models of any number of people in one product.

Popularity, transitions, item-kNN and EASE depend on people only through sums T = Σ z_p of what each person adds to the
cells (``training.exact``), and the weights of EASE give its sums away (``differencing``). If cells vary independently
between worlds, the likelihood ratio of "p is in" against "p is not" is a monotone function of Σ_c z_pc T_c / v_c, with
the variances v_c of the worlds: a person shows in rare cells, not in popular ones. A world with and without p differs
by Σ_c z_pc² / v_c, so that each world is a shadow model with everybody, and another one without.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

Release = Callable[[np.ndarray], np.ndarray]
"""(cells,) sums of a world → (cells,) what is published of them: themselves, or with noise."""
VARIANCE = 1.0
"""Added to the variances: cells that are the same in all worlds are not infinitely telling."""


def pairs(rows: sparse.csr_array) -> sparse.csr_array:
    """(people, cells) what people add to the cells of XᵀX on and above the diagonal that anybody adds to.

    >>> pairs(sparse.csr_array(np.array([[1, 1, 0], [0, 1, 0]]))).toarray().tolist()
    [[1, 1, 1], [0, 0, 1]]
    """
    people, tracks = rows.shape
    rows.sort_indices()
    owners, cells, values = [], [], []
    for length in np.unique(np.diff(rows.indptr)):
        chosen = np.flatnonzero(np.diff(rows.indptr) == length)
        if not length:
            continue
        places = rows.indptr[chosen][:, None] + np.arange(length)
        first, second = np.triu_indices(length)
        items, weights = rows.indices[places].astype(np.int64), rows.data[places]
        owners.append(np.repeat(chosen, len(first)))
        cells.append((items[:, first] * tracks + items[:, second]).ravel())
        values.append((weights[:, first] * weights[:, second]).ravel())
    return _compact(owners, cells, values, people)


def steps(owner: np.ndarray, track: np.ndarray, tracks: int, people: int) -> sparse.csr_array:
    """(people, cells) how often each person plays a track directly after another, in the pairs that anybody plays.

    Args:
        owner: (n,) person of each play; the plays of a person are in order of time, people one after another.
        track: (n,) track of each play.
        tracks: number of tracks.
        people: number of people.

    >>> steps(np.array([0, 0, 0, 1]), np.array([2, 3, 2, 2]), 4, 2).toarray().tolist()
    [[1, 1], [0, 0]]
    """
    same = owner[1:] == owner[:-1]
    cells = track[:-1][same].astype(np.int64) * tracks + track[1:][same]
    return _compact([owner[1:][same]], [cells], [np.ones(int(same.sum()), np.int64)], people)


def _compact(
    owners: list[np.ndarray], cells: list[np.ndarray], values: list[np.ndarray], people: int
) -> sparse.csr_array:
    """Numbers the cells that are used."""
    nothing = [np.empty(0, np.int64)]
    used, numbers = np.unique(np.concatenate(nothing + cells), return_inverse=True)
    coordinates = (np.concatenate(nothing + owners), numbers)
    return sparse.csr_array((np.concatenate(nothing + values), coordinates), (people, len(used)))


@dataclass(frozen=True)
class SumScores:
    """Scores of people in every world.

    Attributes:
        inside: (worlds, people) score of a person in the world, had the person been in it.
        outside: (worlds, people) score of a person, had the person not been in it.
    """

    inside: np.ndarray
    outside: np.ndarray


def scores(added: sparse.csr_array, is_in: np.ndarray, release: Release | None = None) -> SumScores:
    """Scores all people in all worlds by what is published of them.

    Args:
        added: (people, cells) what each person adds.
        is_in: (worlds, people) who is in which world.
        release: what is published of the sums of a world; the sums themselves if None. Its noise must not depend on
            the sums, since a world without a person is the same world less what the person added.
    """
    published = np.array([_published(added, world, release) for world in is_in]).reshape(len(is_in), added.shape[1])
    weights = 1 / (published.var(axis=0) + VARIANCE)
    actual = (added @ (published * weights).T).T
    own = added.multiply(added) @ weights
    return SumScores(np.where(is_in, actual, actual + own), np.where(is_in, actual - own, actual))


def _published(added: sparse.csr_array, is_in: np.ndarray, release: Release | None) -> np.ndarray:
    sums = added.T @ is_in.astype(added.dtype)
    return np.asarray(sums if release is None else release(sums), np.float64)
