"""Popularity: the most played tracks, the same for every listener."""

from dataclasses import dataclass

import numpy as np

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.exact import play_counts
from training.exact.bounds import newest_plays
from training.exact.fixed_point import to_floats
from training.exact.sums import Sums
from training.models.recommendation.contract import SameForAll
from training.models.recommendation.weighting import MICROSECONDS_A_DAY

POPULAR = "popular"


@dataclass(frozen=True)
class Popularity:
    """Settings of the popularity model.

    Attributes:
        days: number of days before the cutoff that are counted; None for all.
        most_plays: newest rows of a listener and a track that count; None for all.
    """

    days: float | None = None
    most_plays: int | None = None

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> SameForAll:
        """Sums the weights of the plays of each track before the cutoff."""
        return SameForAll(self.solve(self.count(interactions, cutoff)))

    def count(self, interactions: Interactions, cutoff: int) -> Sums:
        """Counts the plays of each track before the cutoff, of any people, as ``popular``."""
        seen = interactions.before(cutoff)
        if self.days is not None:
            seen = seen.between(cutoff - round(self.days * MICROSECONDS_A_DAY), cutoff)
        if self.most_plays is not None:
            seen = seen.only(newest_plays(seen.user, seen.track, self.most_plays))
        return play_counts.count({POPULAR: (seen.track, seen.weight)}, interactions.shape[1])

    def solve(self, sums: Sums) -> np.ndarray:
        """(tracks,) plays of each track."""
        return to_floats(sums[POPULAR].toarray()[0], play_counts.BITS)
