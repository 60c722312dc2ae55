"""When to speak: a score above the threshold raises an alarm, and every alarm makes the next one harder for a while.

After an alarm nothing is said for ``quiet`` values; then the threshold lies higher and comes down again, by half in
``half_life`` values. A series that is wild by nature so talks itself into a threshold of its own, and one that breaks
is heard at once.
"""

from dataclasses import dataclass

import numpy as np

SILENT = (0.0, 1 << 40)
"""Boost, and values since the last alarm, of a series without any."""


@dataclass(frozen=True)
class AlarmPolicy:
    """When scores become alarms.

    Attributes:
        threshold: score that raises an alarm.
        quiet: values after an alarm without another.
        raised: share of the threshold that an alarm adds to it.
        half_life: values after which half of that is gone.
    """

    threshold: float
    quiet: int = 60
    raised: float = 0.5
    half_life: float = 500.0

    def one(self, score: float, state: tuple[float, int]) -> tuple[bool, tuple[float, int]]:
        """``decide`` for a single value; the state of a series that has never spoken is ``SILENT``."""
        boost = state[0] * 0.5 ** (1 / self.half_life)
        if score >= self.threshold * (1 + boost) and state[1] >= self.quiet:
            return True, (boost + self.raised, 0)
        return False, (boost, state[1] + 1)

    def replay(self, entities: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Alarms (n,) of many values in their order: what ``decide`` says of one after another.

        Args:
            entities: (n,) number of whose value it is.
            scores: (n,) NaN for no score.
        """
        order = np.argsort(entities, kind="stable")
        sorted_entities = entities[order]
        begin = np.searchsorted(sorted_entities, sorted_entities)
        turn = np.empty(len(order), np.int64)
        turn[order] = np.arange(len(order)) - begin
        state: dict[int, tuple[float, int]] = {}
        alarms = np.zeros(len(scores), bool)
        for place in np.flatnonzero(scores >= self.threshold):
            entity, now = int(entities[place]), int(turn[place])
            boost, last = state.get(entity, (0.0, -SILENT[1]))
            boost *= 0.5 ** ((now - last) / self.half_life)
            if scores[place] >= self.threshold * (1 + boost) and now - last > self.quiet:
                alarms[place] = True
                state[entity] = (boost + self.raised, now)
        return alarms

    def decide(
        self, scores: np.ndarray, boost: np.ndarray, since: np.ndarray, threshold: np.ndarray | float | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Alarms of one value each, and the state after.

        Args:
            scores: (n,) NaN for no score.
            boost: (n,) share of the threshold that earlier alarms added.
            since: (n,) values since the last alarm; a large number if there was none.
            threshold: (n,) of each, where they differ from the policy's.

        Returns:
            (n,) bool, and ``boost`` and ``since`` after it.
        """
        boost = boost * 0.5 ** (1 / self.half_life)
        least = self.threshold if threshold is None else threshold
        alarm = (scores >= least * (1 + boost)) & (since >= self.quiet)
        return alarm, np.where(alarm, boost + self.raised, boost), np.where(alarm, 0, since + 1)
