"""An index from keys to their slots."""

import numpy as np

from transforms.batch.windows.items import expand_ranges
from transforms.stream.state.hop_tiles import find_sorted

FEW = 4096
"""Unsorted slots that a lookup scans; once there are more, they are sorted by key first."""


class ByKey:
    """Finds the slots of keys. Slots are numbered in the order of their creation.

    Slots are held in runs sorted by key. Two neighbouring runs are merged when the later one is no shorter, so each
    slot is sorted again about log₂ n times, and a lookup searches about log₂ n runs (the logarithmic method of
    J. Bentley and J. Saxe, Decomposable Searching Problems, 1980).
    """

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []
        self._sorted_count = 0

    def find(self, keys: np.ndarray, slot_keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Finds all slots of some keys.

        Args:
            keys: the requested keys, sorted, without repeats.
            slot_keys: (slots,) key of every slot; slots of earlier calls must keep their keys.

        Returns:
            The slots, and for each slot the position of its key in ``keys``.
        """
        if len(slot_keys) - self._sorted_count > FEW:
            self._add_run(slot_keys)
        matches = []
        for sorted_keys, slots in self._runs:
            first, stop = (np.searchsorted(sorted_keys, keys, side=side) for side in ("left", "right"))
            place, owner = expand_ranges(first, stop)
            matches.append((slots[place], owner))
        position, is_match = find_sorted(keys, slot_keys[self._sorted_count :])
        unsorted_slots = np.flatnonzero(is_match)
        matches.append((unsorted_slots + self._sorted_count, position[unsorted_slots]))
        return np.concatenate([slots for slots, _ in matches]), np.concatenate([owner for _, owner in matches])

    def _add_run(self, slot_keys: np.ndarray) -> None:
        slots = np.arange(self._sorted_count, len(slot_keys))
        self._sorted_count = len(slot_keys)
        while self._runs and len(self._runs[-1][1]) <= len(slots):
            slots = np.concatenate([self._runs.pop()[1], slots])
        order = np.argsort(slot_keys[slots], kind="stable")
        self._runs.append((slot_keys[slots][order], slots[order]))
