"""What the ranker learns from, pulled once: its search, and the worth of the feature views that it eats."""

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
"""Moments before the test that a search asks about; the last of them is the validation period."""
LEAST = 3
"""Moments that are needed before one can be asked about: to learn from, to stop by, to ask."""


@dataclass(frozen=True)
class Asked:
    """The questions of one moment.

    Attributes:
        groups: their candidates.
        wanted: (q,) tracks that each listener went on to play, whether they were candidates or not.
        users: (q,) names.
    """

    groups: Groups
    wanted: np.ndarray
    users: np.ndarray


@dataclass(frozen=True)
class RankerProblem(Problem):
    """NDCG@10 that a ranker loses, listener by listener.

    Attributes:
        ranked: its columns.
        moments: in order of time; the last is the test.
        ranker: as it is declared.
    """

    ranked: Ranked
    moments: tuple[Asked, ...]
    ranker: Ranker

    @property
    def folds(self) -> int:
        """Moments before the test that have enough before them."""
        return max(min(PERIODS, len(self.moments) - LEAST), 0)

    @property
    def default(self) -> dict[str, Any]:
        """As it is declared."""
        return {name: getattr(self.ranker, name) for name in PARAMETERS}

    @property
    def views(self) -> tuple[str, ...]:
        """Of its columns."""
        return tuple(dict.fromkeys(name.partition("__")[0] for name in self.ranked.inputs))

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Of LightGBM."""
        return {
            "leaves": trial.suggest_int("leaves", 4, 63, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "least_rows": trial.suggest_int("least_rows", 20, 1_000, log=True),
            "most_trees": trial.suggest_int("most_trees", 50, 600, log=True),
        }

    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Mean over the listeners of a moment."""
        place = len(self.moments) - 1 - self.folds + fold
        return float(self._losses(place, parameters, ())[0].mean())

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Listener by listener."""
        return self._losses(len(self.moments) - 1, parameters, without)

    def _losses(self, place: int, parameters: dict[str, Any], without: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        names = list(self.ranked.inputs)
        kept = [number for number, name in enumerate(names) if name.partition("__")[0] not in without]
        ranked = replace(self.ranked, inputs={names[number]: self.ranked.inputs[names[number]] for number in kept})
        *learned, held_out = (_columns(one.groups, kept) for one in self.moments[:place])
        asked = self.moments[place]
        booster = replace(self.ranker, **parameters).fit(ranked, learned, held_out)
        scores = np.asarray(booster.predict(asked.groups.inputs[:, kept]))
        return 1 - ndcg_of_groups(scores, asked.groups, asked.wanted), asked.users


def _columns(groups: Groups, kept: list[int]) -> Groups:
    return groups if len(kept) == groups.inputs.shape[1] else replace(groups, inputs=groups.inputs[:, kept])


def ndcg_of_groups(scores: np.ndarray, groups: Groups, wanted: np.ndarray) -> np.ndarray:
    """(q,) NDCG@10 of each question's candidates by score; tracks that were wanted and are no candidates are missed."""
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    ideal = np.concatenate([[0.0], discounts.cumsum()])
    found = np.zeros(len(groups.sizes))
    for number, (end, size) in enumerate(zip(np.cumsum(groups.sizes), groups.sizes, strict=True)):
        mine = slice(end - size, end)
        best = np.argsort(-scores[mine], kind="stable")[:DEPTH]
        found[number] = (groups.labels[mine][best] * discounts[: len(best)]).sum()
    return found / ideal[np.clip(wanted, 1, DEPTH)]


PARAMETERS = ("leaves", "learning_rate", "least_rows", "most_trees")
"""Of a ``Ranker``, that a run may be given."""
