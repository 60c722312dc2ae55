"""Counts as they come, such as requests a minute: do fewer arrive than usual, or more?

A minute in which half of the requests are missing is nothing special; five in a row are. Every value is compared with
what is usual at this time of day, times how busy the last hours were, and what speaks for a rate that fell to ``fall``
of it, or rose to ``rise`` times it, is added up from when it began (cumulative sums: E. S. Page, Continuous inspection
schemes, Biometrika 41, 1954; of Poisson counts: J. M. Lucas, Counted data CUSUM's, Technometrics 27, 1985). The score
is the larger sum, in nats. Counts that vary more than Poisson's speak more softly by that factor, which is learned
from whether more than half of them lie farther away than half of Poisson's would.

While a sum is up little is learned, so that an incident does not become the new normal; a series whose sum stays up for
``relearn`` values is learned anew, and says so. Nothing is said of a time of day that was not seen before.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from transforms.pure.anomaly import profile
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.many import ManySeries, State

CHANNELS = ("fell", "rose")
CLIP = 3.0
"""Standard deviations; nothing farther away is learned from."""
LEAST = 0.05
"""No rate is lower."""
HALF = 0.455
"""Half of all squared deviations from a Poisson mean are below this share of it, about: the median of chi-squared."""


@dataclass(frozen=True)
class CountSettings:
    """How counts are scored; meant for one value a minute.

    Attributes:
        fall: share of the usual rate that is looked for.
        rise: likewise, above.
        half_life: values after which half of how busy it was is forgotten.
        memory: values that each half an hour of the day remembers, about.
        known: values before a part of the day says anything.
        dispersion: by how much a value can change how far counts vary.
        calm: nats; below, all is learned from.
        slow: share that is learned from a value above that.
        highest: nats; no sum is larger, so that it is soon back.
        relearn: values above ``calm`` after which a series is learned anew.
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
    """State of many series of counts, and what one more value of some of them says."""

    CHANNELS: ClassVar[tuple[str, ...]] = CHANNELS
    POLICY: ClassVar[AlarmPolicy] = AlarmPolicy(threshold=8.0)
    SETTINGS: ClassVar[type] = CountSettings

    def _begun(self, series: int) -> State:
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
        told, settings = np.maximum(values, 0.0), self.settings
        part = profile.part_of(times)
        usual, ready = profile.usual(state["part_mean"], state["part_seen"], part, settings.known)
        expected = np.maximum(usual * state["busy"], LEAST)
        for_fall = told * np.log(settings.fall) + expected * (1 - settings.fall)
        for_rise = told * np.log(settings.rise) + expected * (1 - settings.rise)
        gain = np.column_stack([for_fall, for_rise]) / state["dispersion"][:, None]
        sums = np.clip(state["sums"] + gain, 0.0, settings.highest) * ready[:, None]
        score = sums.max(axis=1)

        up = score >= settings.calm
        weight = np.where(up, settings.slow, 1.0)
        size = np.sqrt(state["dispersion"] * expected)
        learned = np.where(ready, np.clip(told, expected - CLIP * size, expected + CLIP * size), told)
        wide = np.where((told - expected) ** 2 > HALF * expected * state["dispersion"], 1.0, -1.0)
        varied = np.maximum(state["dispersion"] * np.exp(settings.dispersion * weight * wide), 1.0)
        state["dispersion"] = np.where(ready, varied, state["dispersion"])
        busier = learned / np.maximum(usual, LEAST) - state["busy"]
        state["busy"] = state["busy"] + np.where(ready, weight * (1 - 0.5 ** (1 / settings.half_life)) * busier, 0.0)
        profile.learn(state["part_mean"], state["part_seen"], part, usual + weight * (learned - usual), settings.memory)
        state["sums"] = sums
        state["elsewhere"] = np.where(up, state["elsewhere"] + 1, 0)
        return score, sums, expected, state["elsewhere"] >= settings.relearn
