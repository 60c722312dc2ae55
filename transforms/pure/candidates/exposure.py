"""Raises the exposure of a group of tracks, such as the long tail, with a bound on what a list loses.

The best list of a sum of gains and a bonus for the group, both discounted by slot, is the order by gain + bonus: for
every bonus no other list of the same loss gives the group more exposure on average. The bonus is the same for all
lists, so that the group is raised where it costs least; where a list would lose more than the bound it is cut down to
the largest bonus that keeps it. After the bonus for the long tail of H. Abdollahpouri, R. Burke and B. Mobasher,
Managing Popularity Bias in Recommender Systems with Personalized Re-ranking, 2019, without its dependence on what was
chosen before, and with a bound as in A. Biega, K. Gummadi and G. Weikum, Equity of Attention, 2018.
"""

import numpy as np

HEAD = 0.2
"""Share of the tracks that are not the long tail, the most popular ones."""
DEPTH = 10
"""Number of candidates that are considered, as a multiple of the length of the list."""
ROUNDING = 1e-12
HALVINGS = 20
"""Steps in which the bonus of a list is cut down to its bound."""


def is_long_tail(listeners: np.ndarray, head: float = HEAD) -> np.ndarray:
    """(tracks,) whether a track is outside the most popular ones; of equal ones the first track is more popular.

    Args:
        listeners: (tracks,) popularity of each track.
        head: share of the tracks that are not the long tail.

    >>> is_long_tail(np.array([5, 9, 1, 0, 0])).tolist()
    [True, False, True, True, True]
    """
    tail = np.ones(len(listeners), bool)
    tail[np.argsort(-np.asarray(listeners, float), kind="stable")[: round(head * len(listeners))]] = False
    return tail


def raise_exposure(
    order: np.ndarray, scores: np.ndarray, raised: np.ndarray, count: int, bonus: float, bound: float
) -> tuple[np.ndarray, np.ndarray]:
    """Reorders rows so that a group is more exposed, as far as the list keeps its gain.

    The gain of a row is its score, scaled to 0 to 1 among the first ``DEPTH`` · ``count`` rows, which are reordered.

    Args:
        order: (n,) rows, best first.
        scores: (rows,) scores, descending along ``order``.
        raised: (rows,) whether a row belongs to the group.
        count: length of the list.
        bonus: what belonging to the group counts, beside gains from 0 to 1.
        bound: largest share of its discounted gain that the list may lose, 0 to 1.

    Returns:
        The rows in their new order, and the (rows,) scores that it follows: gain and bonus.

    >>> order, scores, raised = np.arange(4), np.array([1.0, 0.9, 0.85, 0.0]), np.array([False, False, True, False])
    >>> raise_exposure(order, scores, raised, 2, 0.2, 0.1)[0].tolist()
    [2, 0, 1, 3]
    >>> raise_exposure(order, scores, raised, 2, 0.2, 0.01)[0].tolist()
    [0, 1, 2, 3]
    """
    top = order[: DEPTH * count]
    of_group = raised[top]
    if bonus <= 0 or not of_group.any() or of_group.all():
        return order, scores
    lowest, spread = float(scores[top[-1]]), float(scores[top[0]] - scores[top[-1]])
    if not 0 < spread < np.inf:  # no order to lose: scores are equal, or no numbers
        return order, scores
    gains = (scores[top] - lowest) / spread
    discounts = 1 / np.log2(np.arange(2, min(count, len(top)) + 2))
    least = (1 - bound) * float(discounts @ gains[: len(discounts)]) - ROUNDING

    def best(amount: float) -> tuple[np.ndarray, bool]:
        places = np.argsort(-(gains + amount * of_group), kind="stable")
        return places, bool(discounts @ gains[places[: len(discounts)]] >= least)

    places, is_kept = best(bonus)
    if not is_kept:
        low, high, places = 0.0, bonus, np.arange(len(top))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            places_at_middle, is_kept = best(middle)
            low, high, places = (middle, high, places_at_middle) if is_kept else (low, middle, places)
        bonus = low
    sums = (scores - lowest) / spread
    sums[top] += bonus * of_group
    return np.concatenate([top[places], order[len(top) :]]), sums
