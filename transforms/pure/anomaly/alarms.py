"""The rule that turns scores into alarms: a score at or above the threshold, which rises for a while after an alarm.

After an alarm there is none for ``quiet`` values. Then the threshold is higher, and its increase halves every
``half_life`` values. So a noisy series gets a higher threshold of its own, and a stable series that breaks raises an
alarm at once. The longer a series is known, the more its earlier alarms say about it: with ``aging``, the half-life
grows with the number of its values, as the gain of stochastic approximation falls (H. Robbins and S. Monro, A
stochastic approximation method, Annals of Mathematical Statistics 22, 1951).
"""

from dataclasses import dataclass

import numpy as np

State = tuple[float, int, int]
"""State of a series: boost, number of values since the last alarm, and number of values."""
SILENT: State = (0.0, 1 << 40, 0)
"""State of a new series."""


@dataclass(frozen=True)
class AlarmPolicy:
    """The parameters of the alarm rule.

    Attributes:
        threshold: score that raises an alarm.
        quiet: number of values after an alarm without another alarm.
        raised: increase of the threshold by an alarm, as a share of the threshold.
        half_life: half-life of the increase, in values.
        aging: half-life as a share of the number of values of the series, once that is more than ``half_life``.
        longest: longest half-life, in values.
    """

    threshold: float
    quiet: int = 60
    raised: float = 0.5
    half_life: float = 500.0
    aging: float = 0.0
    longest: float = 1e9

    def one(self, score: float, state: State) -> tuple[bool, State]:
        """``decide`` for a single value; the state of a new series is ``SILENT``."""
        boost, since, age = state
        boost *= 0.5 ** (1 / float(self._half_life(age)))
        if score >= self.threshold * (1 + boost) and since >= self.quiet:
            return True, (boost + self.raised, 0, age + 1)
        return False, (boost, since + 1, age + 1)

    def replay(self, entities: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Alarms (n,) of many values in their order; equals successive calls of ``decide``.

        Args:
            entities: (n,) number of the entity of each value.
            scores: (n,) scores; NaN for a missing score.
        """
        order = np.argsort(entities, kind="stable")
        sorted_entities = entities[order]
        begin = np.searchsorted(sorted_entities, sorted_entities)
        occurrence = np.empty(len(order), np.int64)
        occurrence[order] = np.arange(len(order)) - begin
        state: dict[int, tuple[float, int]] = {}
        alarms = np.zeros(len(scores), bool)
        ages = np.arange(occurrence.max(initial=0) + 1)
        halvings = np.cumsum(1 / self._half_life(ages))  # how many times a boost has halved by each age
        for index in np.flatnonzero(scores >= self.threshold):
            entity, now = int(entities[index]), int(occurrence[index])
            boost, last = state.get(entity, (0.0, -SILENT[1]))
            if boost:
                boost *= 0.5 ** (halvings[now] - halvings[last])
            if scores[index] >= self.threshold * (1 + boost) and now - last > self.quiet:
                alarms[index] = True
                state[entity] = (boost + self.raised, now)
        return alarms

    def _half_life(self, age: np.ndarray | int) -> np.ndarray:
        """(n,) half-life of series of which (n,) values are known."""
        return np.minimum(np.maximum(self.aging * age, self.half_life), max(self.longest, self.half_life))

    def decide(
        self,
        scores: np.ndarray,
        boost: np.ndarray,
        since: np.ndarray,
        age: np.ndarray,
        threshold: np.ndarray | float | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Decide about the alarms of one value of each of n series.

        Args:
            scores: (n,) scores; NaN for a missing score.
            boost: (n,) increase of the threshold by earlier alarms, as a share of it.
            since: (n,) values since the last alarm; a large number if there was none.
            age: (n,) number of earlier values.
            threshold: (n,) threshold of each series; the policy's if None.

        Returns:
            The alarms (n,) as bool, and the new ``boost`` and ``since``.
        """
        boost = boost * 0.5 ** (1 / self._half_life(age))
        limit = self.threshold if threshold is None else threshold
        alarm = (scores >= limit * (1 + boost)) & (since >= self.quiet)
        return alarm, np.where(alarm, boost + self.raised, boost), np.where(alarm, 0, since + 1)
