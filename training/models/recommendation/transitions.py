"""Transitions: tracks that are played after the listener's last tracks.

A first-order Markov chain over the next few plays of a listener; closer plays weigh more (as in Bonnin, Jannach:
Automated Generation of Music Playlists, ACM Computing Surveys 2014).
Plays of the same moment have no order: each follows the other. Old transitions fade. The history of a listener is their
last plays; the latest weigh most.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.exact import follows
from training.exact.bounds import newest_plays
from training.exact.fixed_point import to_floats
from training.exact.sums import Sums
from training.models.recommendation.contract import FromHistory
from training.models.recommendation.weighting import MICROSECONDS_A_DAY, pause_weights


@dataclass(frozen=True)
class Transitions:
    """Settings of the transitions.

    Attributes:
        reach: number of plays after a play that count as following it.
        fading: factor of the weight for each further step.
        half_life_days: age in days at which a transition counts half; None for no fading.
        history_plays: number of last plays that make a listener's history.
        recency: factor of the weight for each earlier play of the history.
        beta: exponent of a track's incoming weight; its score is divided by that power, 0 for no penalty.
        backwards: weight of transitions in the opposite direction.
        exponent: exponent of the weights; below 1 weak transitions count for more.
        pause_s: seconds before the listener's last play at which a play of the history counts half; None for no effect.
        most_plays: newest plays of a listener and a track that count in pairs with others; None for all.
    """

    reach: int = 5
    fading: float = 0.7
    half_life_days: float | None = None
    history_plays: int = 20
    recency: float = 0.85
    beta: float = 0.3
    backwards: float = 0.0
    exponent: float = 1.0
    pause_s: float | None = None
    most_plays: int | None = None

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> FromHistory:
        """Learns from the plays before the cutoff, which are in order of time."""
        past = interactions.before(cutoff)
        user, track, time = _by_user(past)
        return FromHistory(
            self._recent_history(user, track, time, past.shape), self.solve(self.count(interactions, cutoff))
        )

    def count(self, interactions: Interactions, cutoff: int) -> Sums:
        """Counts which track is played after which before the cutoff, by any people, who are there with all plays."""
        past = interactions.before(cutoff)
        user, track, time = _by_user(past)
        is_counted = np.ones(len(user), bool) if self.most_plays is None else newest_plays(user, track, self.most_plays)

        def steps() -> Iterator[follows.Pairs]:
            for step in range(1, self.reach + 1):
                same_user = (user[step:] == user[:-step]) & is_counted[step:] & is_counted[:-step]
                age_days = (cutoff - time[step:][same_user]) / MICROSECONDS_A_DAY
                weight = self.fading ** (step - 1) * np.ones(int(same_user.sum()))
                if self.half_life_days is not None:
                    weight = weight * 0.5 ** (age_days / self.half_life_days)
                is_tied = (time[step:] == time[:-step])[same_user]
                yield track[:-step][same_user], track[step:][same_user], weight, is_tied

        return follows.count(steps(), past.shape[1])

    def solve(self, sums: Sums) -> sparse.csr_array:
        """(tracks, tracks) weight of the column after the row; rows sum to one before the popularity penalty."""
        ordered, tied = (_as_floats(sums[name]) for name in (follows.ORDERED, follows.TIED))
        total = ordered + self.backwards * ordered.T + tied + tied.T
        total.setdiag(0)
        row_sums = np.asarray(total.sum(axis=1)).ravel()
        column_sums = np.asarray(total.sum(axis=0)).ravel()
        scaled = sparse.diags_array(1 / np.maximum(row_sums, 1.0)) @ total
        weights = sparse.csr_array(scaled @ sparse.diags_array(np.maximum(column_sums, 1.0) ** -self.beta))
        if self.exponent != 1:
            weights.data **= self.exponent
        return weights

    def _recent_history(
        self, user: np.ndarray, track: np.ndarray, time: np.ndarray, shape: tuple[int, int]
    ) -> sparse.csr_array:
        """(users, tracks) weight of each of a listener's last plays."""
        if not len(user):
            return sparse.csr_array(shape)
        ends = np.concatenate([np.flatnonzero(user[1:] != user[:-1]), [len(user) - 1]])
        last_play = ends[np.searchsorted(ends, np.arange(len(user)))]
        plays_back = last_play - np.arange(len(user))
        weight = self.recency**plays_back
        if self.pause_s is not None:
            weight = weight * pause_weights(time, time[last_play], self.pause_s)
        recent = plays_back < self.history_plays
        return sparse.csr_array((weight[recent], (user[recent], track[recent])), shape=shape)


def _by_user(past: Interactions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) user, track and time of plays by user, of each user in order of time."""
    order = np.argsort(past.user, kind="stable")
    return past.user[order], past.track[order], past.time[order]


def _as_floats(table: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array((to_floats(table.data, follows.BITS), table.indices, table.indptr), table.shape)
