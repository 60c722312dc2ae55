"""Random words of 64 bits, from the operating system."""

import os

import numpy as np


def words(count: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """(count,) uint64, uniform and independent.

    Args:
        count: number of words.
        rng: a seeded generator, in tests; None for the operating system's randomness, which nobody can repeat.

    >>> words(2, np.random.default_rng(0)).dtype, len(words(3))
    (dtype('uint64'), 3)
    """
    if rng is None:
        return np.frombuffer(os.urandom(8 * count), np.uint64)
    return rng.integers(0, 2**64, count, np.uint64)


def below(limit: int, count: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """(count,) int64 in [0, limit), uniform: words are cut to the bits of the limit, and drawn again if above it.

    Args:
        limit: 1 to 2^62.
        count: number of integers.
        rng: as for ``words``.

    >>> sorted(set(below(3, 100, np.random.default_rng(0)).tolist()))
    [0, 1, 2]
    """
    if limit == 1:
        return np.zeros(count, np.int64)
    mask = np.uint64(2 ** (limit - 1).bit_length() - 1)
    drawn: list[np.ndarray] = []
    missing = count
    while missing > 0:
        candidates = (words(2 * missing, rng) & mask).astype(np.int64)
        drawn.append(candidates[candidates < limit][:missing])
        missing -= len(drawn[-1])
    return np.concatenate(drawn) if drawn else np.zeros(0, np.int64)
