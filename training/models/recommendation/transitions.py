"""Transitions: what is played after what.

A first-order Markov chain over what listeners played next, within a few plays rather than the next one alone, the
closer the more (as in Bonnin, Jannach: Automated Generation of Music Playlists, ACM Computing Surveys 2014); old
transitions fade. A listener's last plays ask it, the latest most.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.models.recommendation.contract import FromHistory
from training.models.recommendation.weighting import MICROSECONDS_A_DAY


@dataclass(frozen=True)
class Transitions:
    """Settings.

    Attributes:
        reach: plays after a play that count as following it.
        fading: by which each further step counts less.
        half_life_days: after this long a transition counts half; none fade if None.
        asked: last plays of a listener that ask.
        recency: by which each earlier of them counts less.
        beta: exponent of how often a track follows anything, which divides its score; 0 leaves popularity in.
        backwards: by which what came before a play counts as following it.
    """

    reach: int = 5
    fading: float = 0.7
    half_life_days: float | None = None
    asked: int = 20
    recency: float = 0.85
    beta: float = 0.3
    backwards: float = 0.0

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> FromHistory:
        """Learn from the plays before the cutoff, which are in order of time."""
        seen = interactions.before(cutoff)
        order = np.argsort(seen.user, kind="stable")  # of each listener in order of time
        user, track, time = seen.user[order], seen.track[order], seen.time[order]
        return FromHistory(self._last(user, track, seen.shape), self._chain(user, track, time, cutoff, seen))

    def _chain(
        self, user: np.ndarray, track: np.ndarray, time: np.ndarray, cutoff: int, seen: Interactions
    ) -> sparse.csr_array:
        """(tracks, tracks) weight of the column after the row; rows add up to one before popularity is held back."""
        tracks = seen.shape[1]
        total = sparse.csr_array((tracks, tracks))
        for step in range(1, self.reach + 1):
            same = user[step:] == user[:-step]
            age = (cutoff - time[step:][same]) / MICROSECONDS_A_DAY
            weight = self.fading ** (step - 1) * np.ones(int(same.sum()))
            if self.half_life_days is not None:
                weight = weight * 0.5 ** (age / self.half_life_days)
            pairs = (track[:-step][same], track[step:][same])
            total = total + sparse.csr_array((weight, pairs), shape=(tracks, tracks))
        if self.backwards:
            total = total + self.backwards * total.T
        total.setdiag(0)
        leaving = np.asarray(total.sum(axis=1)).ravel()
        arriving = np.asarray(total.sum(axis=0)).ravel()
        scaled = sparse.diags_array(1 / np.maximum(leaving, 1.0)) @ total
        return sparse.csr_array(scaled @ sparse.diags_array(np.maximum(arriving, 1.0) ** -self.beta))

    def _last(self, user: np.ndarray, track: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
        """(users, tracks) how much each of a listener's last plays asks."""
        if not len(user):
            return sparse.csr_array(shape)
        ends = np.concatenate([np.flatnonzero(user[1:] != user[:-1]), [len(user) - 1]])
        back = ends[np.searchsorted(ends, np.arange(len(user)))] - np.arange(len(user))
        recent = back < self.asked
        return sparse.csr_array((self.recency ** back[recent], (user[recent], track[recent])), shape=shape)
