"""When to speak: a score above the threshold raises an alarm, and every alarm makes the next one harder for a while.

After an alarm nothing is said for ``quiet`` values; then the threshold lies higher and comes down again, by half in
``half_life`` values. A series that is wild by nature so talks itself into a threshold of its own, and one that breaks
is heard at once.
"""

from dataclasses import dataclass

import numpy as np


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

    def decide(
        self, scores: np.ndarray, boost: np.ndarray, since: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Alarms of one value each, and the state after.

        Args:
            scores: (n,) NaN for no score.
            boost: (n,) share of the threshold that earlier alarms added.
            since: (n,) values since the last alarm; a large number if there was none.

        Returns:
            (n,) bool, and ``boost`` and ``since`` after it.
        """
        boost = boost * 0.5 ** (1 / self.half_life)
        alarm = (scores >= self.threshold * (1 + boost)) & (since >= self.quiet)
        return alarm, np.where(alarm, boost + self.raised, boost), np.where(alarm, 0, since + 1)
