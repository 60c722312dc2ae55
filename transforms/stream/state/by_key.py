"""Slots by their keys."""

import numpy as np

from transforms.batch.windows.items import expanded
from transforms.stream.state.hop_tiles import looked_up

FEW = 4096
"""Slots that are looked through for those of some keys; more are put in the order of the keys first."""


class ByKey:
    """Finds the slots of keys, which are numbered as they come.

    They are held in runs in the order of the keys. Two neighbours become one when the later one is no shorter, so that
    each slot is sorted anew some log₂ n times, and a look goes through as many runs (the logarithmic method of
    J. Bentley and J. Saxe, Decomposable Searching Problems, 1980).
    """

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []
        self._done = 0

    def of(self, keys: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slots, and the place of each one's key.

        Args:
            keys: that are wanted, sorted, without repeats.
            key: (slots,) of all there are; those of before as they were.
        """
        if len(key) - self._done > FEW:
            self._put_in_order(key)
        found = []
        for sorted_keys, slots in self._runs:
            first, stop = (np.searchsorted(sorted_keys, keys, side=side) for side in ("left", "right"))
            place, owner = expanded(first, stop)
            found.append((slots[place], owner))
        where, there = looked_up(keys, key[self._done :])
        mine = np.flatnonzero(there)
        found.append((mine + self._done, where[mine]))
        return np.concatenate([slots for slots, _ in found]), np.concatenate([owner for _, owner in found])

    def _put_in_order(self, key: np.ndarray) -> None:
        slots = np.arange(self._done, len(key))
        self._done = len(key)
        while self._runs and len(self._runs[-1][1]) <= len(slots):
            slots = np.concatenate([self._runs.pop()[1], slots])
        order = np.argsort(key[slots], kind="stable")
        self._runs.append((key[slots][order], slots[order]))
