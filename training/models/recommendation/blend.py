"""A weighted sum of the scores of several algorithms, standardised for each listener.

The weights are learned on validation by ``training.models.ensemble.WeightedEnsemble`` for NDCG@10 of full lists. For
each listener only the top tracks of any member are compared; all other tracks rank after them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.models.ensemble import Members, WeightedEnsemble
from training.models.recommendation.contract import Fitted, Model

DEPTH = 60
"""Number of top tracks of each member that are compared."""
BATCH = 256
Question = tuple[Mapping[str, Fitted], Mapping[int, np.ndarray], Mapping[int, np.ndarray]]
"""Fitted members, tracks that each user had heard, and relevant tracks of each user, at one moment."""


@dataclass(frozen=True)
class BlendFit:
    """A fitted blend.

    Attributes:
        members: fitted algorithms by name.
        weights: weight of each member.
        heard: user → distinct tracks heard before the cutoff, which are left out of means and deviations.
    """

    members: Mapping[str, Fitted]
    weights: Mapping[str, float]
    heard: Mapping[int, np.ndarray]

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Sums the weighted standardised scores of the members."""
        return sum(
            self.weights[name] * standardised(fit.scores(users), users, self.heard)
            for name, fit in self.members.items()
            if self.weights.get(name)
        )  # type: ignore[return-value]


@dataclass(frozen=True)
class Blend:
    """Settings of a blend.

    Attributes:
        members: algorithms by name.
        weights: weight of each member; members without weight are not fitted.
    """

    members: Mapping[str, Model]
    weights: Mapping[str, float]

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> BlendFit:
        """Fits every member that has a weight."""
        used = {name: model for name, model in self.members.items() if self.weights.get(name)}
        fitted = {name: model.fit(interactions, cutoff, attributes) for name, model in used.items()}
        return BlendFit(fitted, self.weights, interactions.before(cutoff).tracks_by_user())


def standardised(scores: np.ndarray, users: np.ndarray, heard: Mapping[int, np.ndarray]) -> np.ndarray:
    """Standardises scores to mean 0 and deviation 1 over the tracks that each listener has not heard."""
    standardised_scores = np.array(scores, np.float64)
    for row, user in enumerate(users.tolist()):
        unheard = np.ones(standardised_scores.shape[1], bool)
        unheard[heard.get(user, [])] = False
        unheard_scores = standardised_scores[row][unheard] if unheard.any() else standardised_scores[row]
        standardised_scores[row] = (standardised_scores[row] - unheard_scores.mean()) / max(
            float(unheard_scores.std()), 1e-12
        )
    return standardised_scores


def learn_weights(
    fitted: Mapping[str, Fitted],
    heard: Mapping[int, np.ndarray],
    relevant: Mapping[int, np.ndarray],
    *,
    steps: int = 20,
) -> dict[str, float]:
    """Learns the weights that rank the relevant tracks best.

    Args:
        fitted: members, fitted without the relevant plays.
        heard: user → tracks that are left out of the user's list.
        relevant: user → tracks that belong at the top of the list.
        steps: number of greedy selection steps.
    """
    return learn_weights_of([(fitted, heard, relevant)], steps=steps)


def learn_weights_of(questions: Sequence[Question], *, steps: int = 20) -> dict[str, float]:
    """Learns the weights from several moments together, which says more than one of a few listeners.

    Args:
        questions: for each moment the members, fitted without what was played from it on, the tracks that each user had
            heard, and those that belong at the top.
        steps: number of greedy selection steps.
    """
    values, truth, relevant_counts = [], [], []
    for fitted, heard, relevant in questions:
        for user_scores, is_relevant, count in _lists(fitted, heard, relevant):
            values.append(user_scores)
            truth.append(is_relevant)
            relevant_counts.append(count)
    groups = np.repeat(np.arange(len(truth)), [len(is_relevant) for is_relevant in truth])
    members = Members(tuple(questions[0][0]), np.concatenate(values), np.concatenate(truth).astype(float), groups)
    loss = NdcgLoss.of(groups, np.array(relevant_counts))
    return WeightedEnsemble(loss=loss, steps=steps).fit(members).weights


def _lists(
    fitted: Mapping[str, Fitted], heard: Mapping[int, np.ndarray], relevant: Mapping[int, np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yields for each user the scores (tracks, members) of the top tracks, which are relevant, and how many are."""
    users = np.array(sorted(user for user, tracks in relevant.items() if len(tracks)), np.int64)
    for batch, scores in _batches(fitted, heard, users):
        for row, user in enumerate(batch.tolist()):
            user_scores = scores[:, row]
            user_scores[:, heard.get(user, [])] = -np.inf
            top = np.argpartition(-user_scores, min(DEPTH, user_scores.shape[1] - 1), axis=1)[:, :DEPTH]
            tracks = np.unique(top[np.isfinite(np.take_along_axis(user_scores, top, axis=1))])
            yield user_scores[:, tracks].T, np.isin(tracks, relevant[user]), len(relevant[user])


def _batches(
    fitted: Mapping[str, Fitted], heard: Mapping[int, np.ndarray], users: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields batches of users with the standardised scores of all members, (members, users, tracks)."""
    for start in range(0, len(users), BATCH):
        batch = users[start : start + BATCH]
        yield batch, np.stack([standardised(fit.scores(batch), batch, heard) for fit in fitted.values()])


@dataclass(frozen=True)
class NdcgLoss:
    """The loss 1 − NDCG@10 of concatenated lists.

    Attributes:
        group: (n,) number of the list of each row.
        starts: (lists,) first row of each list.
        ideal: (lists,) best possible gain of each list.
    """

    group: np.ndarray
    starts: np.ndarray
    ideal: np.ndarray

    @classmethod
    def of(cls, group: np.ndarray, relevant: np.ndarray) -> "NdcgLoss":
        """Builds the loss from the list of each row, in order, and the number of relevant tracks of each list."""
        starts = np.searchsorted(group, np.arange(len(relevant)))
        gains = np.cumsum(1 / np.log2(np.arange(2, 12)))
        return cls(group, starts, gains[np.minimum(relevant, 10) - 1])

    def __call__(self, truth: np.ndarray, prediction: np.ndarray) -> float:
        """Computes the mean loss of a prediction (n,) over all lists."""
        order = np.lexsort((-prediction, self.group))
        rank = np.arange(len(order)) - self.starts[self.group]  # lists stay where they are, rows move within
        gain = np.where(rank < 10, truth[order] / np.log2(rank + 2.0), 0)
        return 1 - float(np.mean(np.bincount(self.group, gain, minlength=len(self.ideal)) / self.ideal))
