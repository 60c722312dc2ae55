"""An online detector for counts, such as requests per minute, that are lower or higher than usual.

One minute with half of the usual requests is normal; five in a row are not. Every value is compared with the usual
value of this time of day, times the recent load. The evidence for a rate that fell to ``fall`` times the expected one,
or rose to ``rise`` times, is accumulated (cumulative sums: E. S. Page, Continuous inspection schemes, Biometrika 41,
1954; of Poisson counts: J. M. Lucas, Counted data CUSUM's, Technometrics 27, 1985). The score is the larger sum, in
nats. The evidence is divided by the dispersion of the counts relative to Poisson's, which is learned from whether more
than half of the counts deviate more than half of Poisson counts would.

While a sum is high the detector learns slowly, so that an incident does not become the new normal. A series whose sum
stays high for ``relearn`` values is reset and reported as relearned. Times of day without history are not scored.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from transforms.pure.anomaly import profile
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.many import ManySeries, State
from transforms.pure.anomaly.moments import clip

CHANNELS = ("fell", "rose")
CLIP = 3.0
"""Standard deviations at which values are clipped before the detector learns from them."""
LEAST = 0.05
"""Lowest expected rate."""
HALF = 0.455
"""Half of all squared deviations from a Poisson mean are below this share of it, about: the median of chi-squared."""


@dataclass(frozen=True)
class CountSettings:
    """Parameters of the score of counts; meant for one value per minute.

    Attributes:
        fall: factor of the expected rate that counts as a fall.
        rise: factor of the expected rate that counts as a rise.
        half_life: half-life of the recent load, in values.
        memory: number of values in the running mean of each half hour of the day.
        known: values that a half hour of the day needs before it is scored.
        dispersion: learning rate of the logarithm of the dispersion.
        calm: score in nats below which the detector learns at the full rate.
        slow: learning rate at or above ``calm``, relative to the full rate.
        highest: upper limit of the sums in nats, so that they fall soon after an incident.
        relearn: consecutive values at or above ``calm`` after which a series is reset.
    """

    fall: float = 0.4
    rise: float = 2.0
    half_life: float = 120.0
    memory: int = 150
    known: int = 15
    dispersion: float = 0.01
    calm: float = 8.0
    slow: float = 0.1
    highest: float = 30.0
    relearn: int = 1_000


class CountDetector(ManySeries[CountSettings]):
    """The detector: keeps the state of many series of counts, and scores one more value of any of them."""

    CHANNELS: ClassVar[tuple[str, ...]] = CHANNELS
    POLICY: ClassVar[AlarmPolicy] = AlarmPolicy(threshold=8.0)
    SETTINGS: ClassVar[type] = CountSettings

    def _initial_state(self, series: int) -> State:
        return {
            "part_mean": np.zeros((series, profile.PARTS)),
            "part_seen": np.zeros((series, profile.PARTS), np.float32),
            "busy": np.ones(series),
            "dispersion": np.ones(series),
            "sums": np.zeros((series, len(CHANNELS))),
            "elsewhere": np.zeros(series, np.int64),
        }

    def _score(
        self, state: State, times: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        counts, settings = np.maximum(values, 0.0), self.settings
        part = profile.part_of(times)
        usual, ready = profile.usual(state["part_mean"], state["part_seen"], part, settings.known)
        expected = np.maximum(usual * state["busy"], LEAST)
        for_fall = counts * np.log(settings.fall) + expected * (1 - settings.fall)
        for_rise = counts * np.log(settings.rise) + expected * (1 - settings.rise)
        gain = np.column_stack([for_fall, for_rise]) / state["dispersion"][:, None]
        sums = clip(state["sums"] + gain, 0.0, settings.highest) * ready[:, None]
        score = sums.max(axis=1)

        is_high = score >= settings.calm
        weight = np.where(is_high, settings.slow, 1.0)
        size = np.sqrt(state["dispersion"] * expected)
        learned = np.where(ready, clip(counts, expected - CLIP * size, expected + CLIP * size), counts)
        direction = np.where((counts - expected) ** 2 > HALF * expected * state["dispersion"], 1.0, -1.0)
        dispersion = np.maximum(state["dispersion"] * np.exp(settings.dispersion * weight * direction), 1.0)
        state["dispersion"] = np.where(ready, dispersion, state["dispersion"])
        load_error = learned / np.maximum(usual, LEAST) - state["busy"]
        state["busy"] = state["busy"] + np.where(
            ready, weight * (1 - 0.5 ** (1 / settings.half_life)) * load_error, 0.0
        )
        profile.learn(state["part_mean"], state["part_seen"], part, usual + weight * (learned - usual), settings.memory)
        state["sums"] = sums
        state["elsewhere"] = np.where(is_high, state["elsewhere"] + 1, 0)
        return score, sums, expected, state["elsewhere"] >= settings.relearn
