"""People of nobody: histories of tastes and popular tracks, to run a private mechanism on without touching its data.

Figures of a private model's own people would tell of them outside of its ε, so that its card has figures of these.
"""

import numpy as np
from scipy import sparse

TASTES, EXPONENT, SHAPE = 24, 0.8, 0.3


def simulate(people: int, tracks: int, most: int, rng: np.random.Generator) -> sparse.csr_array:
    """(people, tracks) int64 1 where a person has played a track.

    Tracks are popular by Zipf's law, with the exponent ``EXPONENT``; each of ``TASTES`` groups of people prefers tracks
    of its own. Most people have the most tracks that are allowed for, as a mechanism bounds them.

    Args:
        people: number of people.
        tracks: number of tracks.
        most: most tracks of a person.
        rng: source of chance.

    >>> simulate(3, 50, 4, np.random.default_rng(0)).sum(axis=1).max()
    np.int64(4)
    """
    most = min(most, tracks)
    popularity = 1 / np.arange(1, tracks + 1) ** EXPONENT
    tastes = popularity * rng.gamma(SHAPE, 1, (TASTES, tracks)) + 1e-12
    scores = np.log(tastes[rng.integers(0, TASTES, people)]) - np.log(-np.log(rng.random((people, tracks))))
    counts = np.minimum(rng.poisson(most, people) + 1, most)
    order = np.argsort(-scores, axis=1)[:, :most]
    owners = np.repeat(np.arange(people), counts)
    chosen = order[np.arange(most) < counts[:, None]]
    rows = sparse.csr_array((np.ones(len(chosen), np.int64), (owners, chosen)), (people, tracks))
    rows.sort_indices()
    return rows
