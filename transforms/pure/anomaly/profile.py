"""What is usual at this time of day: a running mean for each part of it."""

import numpy as np

PARTS = 48
MEMORY = 30
"""Values that a part remembers, about: with one value in five minutes, five days."""
KNOWN = 3
"""Values before a part says anything."""
_DAY = 86_400_000_000


def part_of(times: np.ndarray) -> np.ndarray:
    """Part of the day (0 to ``PARTS`` - 1) of microseconds since 1970."""
    return (times % _DAY) * PARTS // _DAY


def usual(means: np.ndarray, seen: np.ndarray, part: np.ndarray, known: int = KNOWN) -> tuple[np.ndarray, np.ndarray]:
    """(n,) mean of each series' part, and whether it is known, from (n, PARTS) means and numbers seen."""
    rows = np.arange(len(part))
    return means[rows, part], seen[rows, part] >= known


def learn(means: np.ndarray, seen: np.ndarray, part: np.ndarray, values: np.ndarray, memory: int = MEMORY) -> None:
    """Take one value (n,) into each series' part, in place."""
    rows = np.arange(len(part))
    seen[rows, part] = np.minimum(seen[rows, part] + 1, memory)
    means[rows, part] += (values - means[rows, part]) / seen[rows, part]
