"""Several algorithms as one: their scores standardised for each listener, with weights learned on validation.

The weights are those of ``training.models.ensemble.WeightedEnsemble``, chosen for NDCG@10 of full lists: of each
listener the tracks that stand first with any member are compared, all others come after them with all members.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.models.ensemble import Members, WeightedEnsemble
from training.models.recommendation.contract import Fitted, Model

DEPTH = 60
"""Tracks of each member that are compared."""
BATCH = 256


@dataclass(frozen=True)
class BlendFit:
    """Fitted members.

    Attributes:
        members: of the blend.
        weights: one for each.
        heard: (users, tracks) distinct tracks before the cutoff, which are left out of means and deviations.
    """

    members: Mapping[str, Fitted]
    weights: Mapping[str, float]
    heard: Mapping[int, np.ndarray]

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The weighted sum of standardised scores."""
        return sum(
            self.weights[name] * standardised(fit.scores(users), users, self.heard)
            for name, fit in self.members.items()
            if self.weights.get(name)
        )  # type: ignore[return-value]


@dataclass(frozen=True)
class Blend:
    """Settings.

    Attributes:
        members: algorithms.
        weights: one for each; those without are not fitted.
    """

    members: Mapping[str, Model]
    weights: Mapping[str, float]

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> BlendFit:
        """Fit every member that has a weight."""
        used = {name: model for name, model in self.members.items() if self.weights.get(name)}
        fitted = {name: model.fit(interactions, cutoff, attributes) for name, model in used.items()}
        return BlendFit(fitted, self.weights, interactions.before(cutoff).tracks_by_user())


def standardised(scores: np.ndarray, users: np.ndarray, heard: Mapping[int, np.ndarray]) -> np.ndarray:
    """Mean 0 and deviation 1 over the tracks that each listener has not heard."""
    found = np.array(scores, np.float64)
    for place, user in enumerate(users.tolist()):
        unheard = np.ones(found.shape[1], bool)
        unheard[heard.get(user, [])] = False
        rest = found[place][unheard] if unheard.any() else found[place]
        found[place] = (found[place] - rest.mean()) / max(float(rest.std()), 1e-12)
    return found


def learn_weights(
    fitted: Mapping[str, Fitted],
    heard: Mapping[int, np.ndarray],
    relevant: Mapping[int, np.ndarray],
    *,
    steps: int = 20,
) -> dict[str, float]:
    """Weights that rank the relevant tracks best.

    Args:
        fitted: members, which saw nothing of what is relevant.
        heard: user to tracks that are left out of their list.
        relevant: user to tracks that belong on top of it.
        steps: of the greedy choice.
    """
    asked = np.array(sorted(user for user, tracks in relevant.items() if len(tracks)), np.int64)
    values, truth, group = [], [], []
    for batch, scores in _batches(fitted, heard, asked):
        for place, user in enumerate(batch.tolist()):
            own = scores[:, place]
            own[:, heard.get(user, [])] = -np.inf
            first = np.argpartition(-own, min(DEPTH, own.shape[1] - 1), axis=1)[:, :DEPTH]
            tracks = np.unique(first[np.isfinite(np.take_along_axis(own, first, axis=1))])
            values.append(own[:, tracks].T)
            truth.append(np.isin(tracks, relevant[user]))
            group.append(np.full(len(tracks), user))
    groups = np.unique(np.concatenate(group), return_inverse=True)[1]
    members = Members(tuple(fitted), np.concatenate(values), np.concatenate(truth).astype(float), groups)
    loss = NdcgLoss.of(groups, np.array([len(relevant[user]) for user in asked.tolist()]))
    return WeightedEnsemble(loss=loss, steps=steps).fit(members).weights


def _batches(
    fitted: Mapping[str, Fitted], heard: Mapping[int, np.ndarray], asked: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Users, and the members' standardised scores (members, users, tracks)."""
    for first in range(0, len(asked), BATCH):
        batch = asked[first : first + BATCH]
        yield batch, np.stack([standardised(fit.scores(batch), batch, heard) for fit in fitted.values()])


@dataclass(frozen=True)
class NdcgLoss:
    """1 − NDCG@10 of lists that lie one after the other.

    Attributes:
        group: (n,) number of each row's list.
        starts: (lists,) first row of each.
        ideal: (lists,) best possible gain.
    """

    group: np.ndarray
    starts: np.ndarray
    ideal: np.ndarray

    @classmethod
    def of(cls, group: np.ndarray, relevant: np.ndarray) -> "NdcgLoss":
        """For rows in order of their list, and how many tracks are relevant in each list."""
        starts = np.searchsorted(group, np.arange(len(relevant)))
        gains = np.cumsum(1 / np.log2(np.arange(2, 12)))
        return cls(group, starts, gains[np.minimum(relevant, 10) - 1])

    def __call__(self, truth: np.ndarray, prediction: np.ndarray) -> float:
        """Of a prediction (n,)."""
        order = np.lexsort((-prediction, self.group))
        place = np.arange(len(order)) - self.starts[self.group]  # lists stay where they are, rows move within
        gain = np.where(place < 10, truth[order] / np.log2(place + 2.0), 0)
        return 1 - float(np.mean(np.bincount(self.group, gain, minlength=len(self.ideal)) / self.ideal))
