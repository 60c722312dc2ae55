"""Decayed sums: the weight of an event halves with every half-life.

The sum as of a key's newest event is a running sum of masses scaled to a common reference moment. The reference moves
on every 32 half-lives, so that the numbers stay within the range of floats (forward decay: G. Cormode et al., Forward
Decay: A Practical Time Decay Model for Streaming Systems, ICDE 2009).
"""

import numpy as np
import polars as pl

from transforms.batch.windows.items import is_run_start

STRETCH = 32.0
"""Half-lives for which one reference moment is used."""


def decayed(code: np.ndarray, last: np.ndarray, mass: np.ndarray, half_life: int) -> np.ndarray:
    """(n,) decayed sum of all masses of the key up to each item, as of that item's ``last``.

    Args:
        code: (n,) codes of the keys, sorted.
        last: (n,) times of the newest events, microseconds, ascending within a key.
        mass: (n,) masses as of ``last``.
        half_life: half-life, microseconds.
    """
    if not len(code):
        return np.zeros(0)
    lives = last / half_life
    stretch = np.floor(lives / STRETCH)
    scaled = mass * np.exp2(lives - stretch * STRETCH)
    is_new = is_run_start(code, stretch)
    segment = np.cumsum(is_new) - 1
    sums = pl.DataFrame({"segment": segment, "scaled": scaled}).select(pl.col("scaled").cum_sum().over("segment"))
    running = sums.to_series().to_numpy()
    starts = np.flatnonzero(is_new)
    total = running[np.concatenate([starts[1:], [len(code)]]) - 1]
    of_key, of_stretch = code[starts], stretch[starts]
    number = np.arange(len(starts)) - np.maximum.accumulate(np.where(is_run_start(of_key), np.arange(len(starts)), 0))
    carried = np.zeros(len(starts))
    for step in range(1, int(number.max()) + 1):
        segments = np.flatnonzero(number == step)
        decay = np.exp2(STRETCH * (of_stretch[segments - 1] - of_stretch[segments]))
        carried[segments] = (carried[segments - 1] + total[segments - 1]) * decay
    return (running + carried[segment]) * np.exp2(stretch * STRETCH - lives)
