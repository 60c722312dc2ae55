"""The training data of the ranker, pulled once, for the search of its parameters and the ablation of its views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from training.models.problem import Problem
from training.models.recommendation.ranker import Groups, Ranked, Ranker

if TYPE_CHECKING:
    import optuna

DEPTH = 10
PERIODS = 2
"""Moments before the test on which a search evaluates; the last of them is the validation period."""
LEAST = 3
"""Moments needed at least: one to train on, one for early stopping, one to evaluate."""


@dataclass(frozen=True)
class MomentQueries:
    """The queries of one moment.

    Attributes:
        groups: candidates of the queries.
        wanted: (q,) number of relevant tracks of each query, whether they are candidates or not.
        users: (q,) identifier of the listener of each query.
    """

    groups: Groups
    wanted: np.ndarray
    users: np.ndarray


@dataclass(frozen=True)
class RankerProblem(Problem):
    """The loss 1 − NDCG@10 of a ranker for each listener.

    Attributes:
        ranked: feature service and input columns of the ranker.
        moments: queries of each moment, in order of time; the last is the test.
        ranker: declared settings of the ranker.
    """

    ranked: Ranked
    moments: tuple[MomentQueries, ...]
    ranker: Ranker

    @property
    def folds(self) -> int:
        """The number of moments before the test that have enough moments before them to train on."""
        return max(min(PERIODS, len(self.moments) - LEAST), 0)

    @property
    def default(self) -> dict[str, Any]:
        """The declared parameters of the ranker."""
        return {name: getattr(self.ranker, name) for name in PARAMETERS}

    @property
    def views(self) -> tuple[str, ...]:
        """The feature views of the input columns."""
        return tuple(dict.fromkeys(name.partition("__")[0] for name in self.ranked.inputs))

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests parameters of LightGBM for a trial."""
        return {
            "leaves": trial.suggest_int("leaves", 4, 63, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "least_rows": trial.suggest_int("least_rows", 20, 1_000, log=True),
            "most_trees": trial.suggest_int("most_trees", 50, 600, log=True),
        }

    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Trains on the moments before a fold and returns the mean loss over its listeners."""
        position = len(self.moments) - 1 - self.folds + fold
        return float(self._losses(position, parameters, ())[0].mean())

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Trains on all but the test; returns the loss and the identifier of each listener of the test."""
        return self._losses(len(self.moments) - 1, parameters, without)

    def _losses(
        self, position: int, parameters: dict[str, Any], without: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        names = list(self.ranked.inputs)
        kept_columns = [number for number, name in enumerate(names) if name.partition("__")[0] not in without]
        ranked = replace(
            self.ranked, inputs={names[number]: self.ranked.inputs[names[number]] for number in kept_columns}
        )
        *training_groups, held_out = (
            _select_columns(moment.groups, kept_columns) for moment in self.moments[:position]
        )
        test_moment = self.moments[position]
        booster = replace(self.ranker, **parameters).fit(ranked, training_groups, held_out)
        scores = np.asarray(booster.predict(test_moment.groups.inputs[:, kept_columns]))
        return 1 - ndcg_of_groups(scores, test_moment.groups, test_moment.wanted), test_moment.users


def _select_columns(groups: Groups, kept_columns: list[int]) -> Groups:
    return (
        groups
        if len(kept_columns) == groups.inputs.shape[1]
        else replace(groups, inputs=groups.inputs[:, kept_columns])
    )


def ndcg_of_groups(scores: np.ndarray, groups: Groups, relevant_counts: np.ndarray) -> np.ndarray:
    """(q,) NDCG@10 of each query's candidates by score; relevant tracks that are no candidates count as misses."""
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    ideal = np.concatenate([[0.0], discounts.cumsum()])
    gains = np.zeros(len(groups.sizes))
    for query, (end, size) in enumerate(zip(np.cumsum(groups.sizes), groups.sizes, strict=True)):
        query_rows = slice(end - size, end)
        best = np.argsort(-scores[query_rows], kind="stable")[:DEPTH]
        gains[query] = (groups.labels[query_rows][best] * discounts[: len(best)]).sum()
    return gains / ideal[np.clip(relevant_counts, 1, DEPTH)]


PARAMETERS = ("leaves", "learning_rate", "least_rows", "most_trees")
"""Fields of ``Ranker`` that are parameters of a run."""
