"""How popular each track is, and how many people there are, with noise: the catalogue is chosen by it.

What a person adds is their row of length 2^bits (``unit_rows``), and 2^bits / 4 to the number of people: a vector of
length 2^bits · √(17/16) at most. Its tracks are a public list: which of them have plays is not published.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.private.differential import noise, zcdp

PEOPLE_BITS = 2
"""The number of people is counted in units of 2^(bits - 2)."""
FEWEST, MOST = 200, 2_500
"""Tracks of a catalogue, at the least and at the most: a matrix of them is inverted."""
PEOPLE_A_TRACK = 4.0
"""People that a track needs, times the σ of the noise on pairs of tracks. Chosen on development data."""


@dataclass(frozen=True)
class PrivatePopularity:
    """Noisy popularity.

    Attributes:
        tracks: (tracks,) sum over people of the weight of the track in their row of length 1; may be below 0.
        people: number of people with plays, noisy, at least 1.
    """

    tracks: np.ndarray
    people: float


def count(rows: sparse.csr_array, bits: int, rho: float, rng: np.random.Generator | None = None) -> PrivatePopularity:
    """Counts popularity and people, at a cost of ρ.

    Args:
        rows: (people, tracks) of ``unit_rows``.
        bits: bits after the point of the rows.
        rho: the cost.
        rng: a seeded generator, in tests; None for the operating system's randomness.
    """
    unit = 2**bits
    sigma = zcdp.sigma_of(rho, unit * math.sqrt(1 + 4.0**-PEOPLE_BITS))
    sums = np.bincount(rows.indices, rows.data, minlength=rows.shape[1]).astype(np.int64)
    people = int((np.diff(rows.indptr) > 0).sum()) * (unit >> PEOPLE_BITS)
    noisy = np.append(sums, people) + noise.integers(rows.shape[1] + 1, sigma, rng)
    return PrivatePopularity(noisy[:-1] / unit, max(float(noisy[-1]) / (unit >> PEOPLE_BITS), 1.0))


def choose_catalogue(popularity: PrivatePopularity, sigma: float) -> np.ndarray:
    """Chooses the most popular tracks, as many as have pairs that stand out of noise; it sees noisy numbers alone.

    The largest eigenvalue of the noise grows with the root of the number of tracks, and what people agree on is shared
    among them: fewer people, or more noise, carry fewer tracks.

    Args:
        popularity: the noisy popularity.
        sigma: σ of the noise on the sum of the pairs of people whose rows have length 1.

    Returns:
        (k,) numbers of the tracks, ascending.

    >>> popularity = PrivatePopularity(np.arange(1_000.0), people=2_000.0)
    >>> len(choose_catalogue(popularity, 1.0)), int(choose_catalogue(popularity, 9.0)[0])
    (500, 800)
    """
    size = int(np.clip(popularity.people / (PEOPLE_A_TRACK * sigma), FEWEST, MOST))
    return np.sort(np.argsort(-popularity.tracks, kind="stable")[:size])
