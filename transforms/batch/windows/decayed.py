"""Sums that fade: each event counts half after every half-life.

The sum as of a key's newest event is a running sum of masses grown to a common moment. That moment moves on every 32
half-lives, so that the numbers stay within what floats hold (forward decay: G. Cormode et al., Forward Decay: A
Practical Time Decay Model for Streaming Systems, ICDE 2009).
"""

import numpy as np
import polars as pl

from transforms.batch.windows.items import begins

STRETCH = 32.0
"""Half-lives."""


def decayed(code: np.ndarray, last: np.ndarray, mass: np.ndarray, half_life: int) -> np.ndarray:
    """(n,) sum of all masses of the key up to each item, as of that item's ``last``.

    Args:
        code: (n,) of the key, sorted.
        last: (n,) microseconds, rising within a key.
        mass: (n,) as of ``last``.
        half_life: microseconds.
    """
    if not len(code):
        return np.zeros(0)
    lives = last / half_life
    stretch = np.floor(lives / STRETCH)
    grown = mass * np.exp2(lives - stretch * STRETCH)
    new = begins(code, stretch)
    segment = np.cumsum(new) - 1
    sums = pl.DataFrame({"segment": segment, "grown": grown}).select(pl.col("grown").cum_sum().over("segment"))
    running = sums.to_series().to_numpy()
    starts = np.flatnonzero(new)
    total = running[np.concatenate([starts[1:], [len(code)]]) - 1]
    of_key, of_stretch = code[starts], stretch[starts]
    number = np.arange(len(starts)) - np.maximum.accumulate(np.where(begins(of_key), np.arange(len(starts)), 0))
    carried = np.zeros(len(starts))
    for step in range(1, int(number.max()) + 1):
        mine = np.flatnonzero(number == step)
        shrunk = np.exp2(STRETCH * (of_stretch[mine - 1] - of_stretch[mine]))
        carried[mine] = (carried[mine - 1] + total[mine - 1]) * shrunk
    return (running + carried[segment]) * np.exp2(stretch * STRETCH - lives)
