"""Whose profiles look made up, and are left out of what is learned; nobody is deleted, and everybody is served.

Each signal is put on a scale of the data at hand: (value − median) / (distance of the median to the 90th percentile),
which a few per cent of fakes hardly move. No label of an attacker is needed. A listener is left out if one signal is
beyond its limit, or two weaker ones come together: an unusual profile, and an account that began in a burst of
accounts for the same track. A burst alone is not enough: fans who join for a release look like that.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions
from training.shilling.signals.burst import burst
from training.shilling.signals.coherence import coherence
from training.shilling.signals.likeness import likeness

COPY, CROWD, INCOHERENT, BREADTH = "copy", "crowd", "incoherent", "breadth"
SIGNALS = (COPY, CROWD, INCOHERENT, BREADTH)
SPREADS = {COPY: 0.1, CROWD: 0.1, INCOHERENT: 0.3, BREADTH: 0.7}
"""Least distance of median and 90th percentile: where all are alike, small differences say nothing."""


@dataclass(frozen=True)
class Detection:
    """Settings of the filter.

    Attributes:
        copy: limit of the likeness to the most similar account, on the scale of the data.
        crowd: limit of the mean likeness to the five most similar accounts.
        incoherent: limit of how little the tracks of a profile go together.
        breadth: limit of the number of distinct tracks, by logarithm.
        weaker: share of the limits that is enough for accounts of a burst.
        burst: evidence of a burst that counts, in powers of ten.
        fewest: fewest listeners; among fewer, nobody is judged.
        most: most listeners; among more, nobody is judged, since all are compared with all.

    >>> Detection().assess(Interactions(["u"], ["t"], [None], *np.zeros((3, 1), np.int64))).weight.tolist()
    [1.0]
    """

    copy: float = 2.0
    crowd: float = 2.0
    incoherent: float = 2.6
    breadth: float = 4.0
    weaker: float = 0.7
    burst: float = 3.0
    fewest: int = 50
    most: int = 30_000

    def judges(self, listeners: int) -> bool:
        """Whether so many listeners are judged."""
        return self.fewest <= listeners <= self.most

    def assess(self, plays: Interactions) -> "Assessment":
        """Judges every listener by their plays.

        Args:
            plays: plays in order of time, up to the moment as of which listeners are judged.
        """
        played = matrix(plays)
        length = np.diff(played.indptr)
        active = length > 0
        if not self.judges(int(active.sum())):
            people = plays.shape[0]
            nothing = {name: np.zeros(people) for name in SIGNALS}
            none = np.full(people, -1)
            return Assessment(np.zeros(people), np.ones(people), nothing, np.zeros(people), none, none)
        alike = likeness(played)
        together = np.log(np.maximum(coherence(played), 1e-4))
        values = {
            COPY: alike.nearest,
            CROWD: alike.crowd,
            INCOHERENT: -together,
            BREADTH: np.log(np.maximum(length, 1)),
        }
        scaled = {name: on_scale(values[name], active, SPREADS[name]) for name in SIGNALS}
        limits = {name: getattr(self, name) for name in SIGNALS}
        excess = np.max([scaled[name] / limits[name] for name in SIGNALS], axis=0)
        evidence, about = burst(plays)
        in_burst = evidence >= self.burst
        score = np.where(in_burst, excess / self.weaker, excess)
        weight = np.where(active & (score > 1), 0.0, 1.0)
        return Assessment(score, weight, scaled, evidence, about, alike.neighbour)


@dataclass(frozen=True)
class Assessment:
    """What was seen of each listener.

    Attributes:
        score: (n,) the largest signal as a share of its limit; above 1 a listener is left out.
        weight: (n,) 0 for who is left out of what is learned, else 1.
        signals: name → (n,) signal on the scale of the data: 0 at the median, 1 at the 90th percentile.
        burst: (n,) evidence of a burst, in powers of ten.
        track: (n,) track of the burst, -1 for none.
        neighbour: (n,) the most similar account, -1 for none.
    """

    score: np.ndarray
    weight: np.ndarray
    signals: dict[str, np.ndarray]
    burst: np.ndarray
    track: np.ndarray
    neighbour: np.ndarray

    @property
    def left_out(self) -> np.ndarray:
        """(n,) True for who is left out."""
        return self.weight == 0

    def learned_from(self, plays: Interactions) -> Interactions:
        """Selects the plays that are learned from."""
        return plays.only(~self.left_out[plays.user]) if self.left_out.any() else plays


def matrix(plays: Interactions) -> sparse.csr_array:
    """(listeners, tracks) float64 1 where a listener played a track."""
    played = sparse.csr_array((np.ones(len(plays.user)), (plays.user, plays.track)), plays.shape)
    played.sum_duplicates()
    played.data[:] = 1
    return played


def on_scale(values: np.ndarray, active: np.ndarray, least: float) -> np.ndarray:
    """Puts values on a scale of their own: 0 at the median of active listeners, 1 at the 90th percentile.

    Args:
        values: (n,) values; NaN where there is none, which becomes 0.
        active: (n,) True for the listeners that the scale is made of.
        least: least distance of median and percentile.

    >>> on_scale(np.arange(11.0), np.ones(11, bool), 0.1)[[5, 9, 10]].tolist()
    [0.0, 1.0, 1.25]
    """
    known = values[active & ~np.isnan(values)]
    if not len(known):
        return np.zeros(len(values))
    middle, high = np.quantile(known, [0.5, 0.9])
    return np.asarray(np.nan_to_num((values - middle) / max(high - middle, least)))
