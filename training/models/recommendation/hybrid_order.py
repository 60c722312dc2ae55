"""Chooses, on validation, what orders the candidates of the hybrid: the ranker, taste, popularity, or sums of them.

A sum of standardised scores is the declared order: equal weights of unequal experts are hard to beat with few listeners
(Dawes: The Robust Beauty of Improper Linear Models in Decision Making, American Psychologist 1979). Another order
serves only where it is surely better on validation, by the 95 % interval of the paired difference. Among those the best
mean wins. Choosing by the mean alone picks another order at each moment and is worse than either of its parts.
"""

from collections.abc import Mapping

import numpy as np

from training.models.recommendation.problem import ndcg_of_groups
from training.models.recommendation.ranker import Groups, Ranked
from training.validation.bootstrap import interval
from transforms.pure.candidates.blend import RANKER, anchored

TASTE, POPULARITY = "taste_match__score", "popularity_share__share_28d"
DECLARED, BY_POPULARITY = "ranker, taste and popularity", "popularity"
ORDERS: dict[str, dict[str, float]] = {
    DECLARED: {RANKER: 1 / 3, TASTE: 1 / 3, POPULARITY: 1 / 3},
    "ranker": {RANKER: 1.0},
    "taste": {TASTE: 1.0},
    BY_POPULARITY: {POPULARITY: 1.0},
    "ranker and taste": {RANKER: 0.5, TASTE: 0.5},
    "taste and popularity": {TASTE: 0.5, POPULARITY: 0.5},
}
"""Order → weight of the ranker and of some of its inputs; of equally good ones the first is chosen."""


def order_scores(
    ranked: Ranked, scores: np.ndarray, inputs: np.ndarray, sizes: np.ndarray, weights: Mapping[str, float]
) -> list[np.ndarray]:
    """Scores the candidates of each query by an order.

    Args:
        ranked: inputs of the ranker.
        scores: (n,) scores of the ranker.
        inputs: (n, inputs) inputs of the candidates.
        sizes: number of candidates of each query; the rows of a query are consecutive.
        weights: weights of the order.
    """
    bounds = np.cumsum(sizes)[:-1].astype(int)
    columns = tuple(ranked.inputs)
    return [
        anchored(query_scores, query_inputs, columns, weights)
        for query_scores, query_inputs in zip(np.split(scores, bounds), np.split(inputs, bounds), strict=True)
    ]


def choose_order(ranked: Ranked, groups: Groups, scores: np.ndarray, wanted: np.ndarray, users: np.ndarray) -> str:
    """Chooses an order by the NDCG@10 of validation.

    Args:
        ranked: inputs of the ranker.
        groups: candidates of validation.
        scores: (n,) scores of a ranker that has not learned from them.
        wanted: (q,) number of relevant tracks of each query.
        users: (q,) listener of each query, who may ask several.

    >>> inputs = np.zeros((40, 2), np.float32)
    >>> inputs[:, 0] = np.tile([0.0, 1.0], 20)
    >>> groups = Groups(inputs, np.tile([0, 1], 20), np.full(20, 2))
    >>> names = Ranked("", {TASTE: 1, POPULARITY: 1})
    >>> choose_order(names, groups, -inputs[:, 0], np.ones(20, int), np.arange(20))
    'taste'
    """
    if not len(groups.sizes):
        return DECLARED
    gains = {
        name: ndcg_of_groups(
            np.concatenate(order_scores(ranked, scores, groups.inputs, groups.sizes, weights)), groups, wanted
        )
        for name, weights in ORDERS.items()
    }
    surely_better = [
        name for name in ORDERS if name != DECLARED and interval(gains[name] - gains[DECLARED], users).low > 0
    ]
    return max(surely_better, key=lambda name: float(gains[name].mean()), default=DECLARED)
