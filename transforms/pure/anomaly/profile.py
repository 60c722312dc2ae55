"""The daily profile of a series: a running mean for each part of the day."""

import numpy as np

PARTS = 48
MEMORY = 30
"""Approximate number of values in the running mean of a part: five days with one value in five minutes."""
KNOWN = 3
"""Number of values that a part needs before it is used."""
_DAY = 86_400_000_000


def part_of(times: np.ndarray) -> np.ndarray:
    """Part of the day (0 to ``PARTS`` - 1) of times in microseconds since 1970."""
    return (times % _DAY) * PARTS // _DAY


def usual(means: np.ndarray, seen: np.ndarray, part: np.ndarray, known: int = KNOWN) -> tuple[np.ndarray, np.ndarray]:
    """(n,) usual value of each series in its part of the day, and (n,) whether it has at least ``known`` values."""
    rows = np.arange(len(part))
    return means[rows, part], seen[rows, part] >= known


def learn(means: np.ndarray, seen: np.ndarray, part: np.ndarray, values: np.ndarray, memory: int = MEMORY) -> None:
    """Add one value per series (n,) to the running mean of its part of the day, in place."""
    rows = np.arange(len(part))
    seen[rows, part] = np.minimum(seen[rows, part] + 1, memory)
    means[rows, part] += (values - means[rows, part]) / seen[rows, part]
