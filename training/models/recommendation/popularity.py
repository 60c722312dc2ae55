"""Popularity: the most played tracks, the same for every listener."""

from dataclasses import dataclass

import numpy as np

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.models.recommendation.contract import SameForAll
from training.models.recommendation.weighting import MICROSECONDS_A_DAY


@dataclass(frozen=True)
class Popularity:
    """Settings of the popularity model.

    Attributes:
        days: number of days before the cutoff that are counted; None for all.
    """

    days: float | None = None

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> SameForAll:
        """Sums the weights of the plays of each track before the cutoff."""
        seen = interactions.before(cutoff)
        if self.days is not None:
            seen = seen.between(cutoff - round(self.days * MICROSECONDS_A_DAY), cutoff)
        return SameForAll(np.bincount(seen.track, weights=seen.weight, minlength=interactions.shape[1]))
