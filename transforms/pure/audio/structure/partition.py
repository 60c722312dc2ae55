"""The best partition of a sequence of vectors into parts of constant mean.

Dynamic programming over the beginning of the last part, with pruning: R. Killick, P. Fearnhead, I. Eckley, Optimal
detection of changepoints with a linear computational cost (JASA 2012). Musical parts tend to have regular lengths, for
which a part costs less: G. Sargent, F. Bimbot, E. Vincent, A regularity-constrained Viterbi algorithm and its
application to the structural segmentation of songs (ISMIR 2011).
"""

from dataclasses import dataclass

import numpy as np

_MOST_CANDIDATES = 512
"""Number of beginnings of a part that are followed; the worst are dropped, so that hours take little time."""


@dataclass(frozen=True)
class PartitionCosts:
    """What a partition costs, beside the squared distances of the vectors from the mean of their part.

    Attributes:
        part: cost of a part.
        irregularity: share of ``part`` that a part of irregular length costs, too; of half the period 0.4 of it, and of
            a quarter 0.7.
        period: regular length, in vectors.
        least: least length of a part.
    """

    part: float = 4.0
    irregularity: float = 0.75
    period: int = 32
    least: int = 8


class _Distances:
    """Squared distances of consecutive vectors from their mean."""

    def __init__(self, vectors: np.ndarray) -> None:
        vectors = np.asarray(vectors, np.float64)
        self._sums = np.vstack([np.zeros(vectors.shape[1]), np.cumsum(vectors, axis=0)])
        self._squares = np.concatenate([[0.0], np.cumsum((vectors**2).sum(axis=1))])

    def between(self, first: np.ndarray, stop: np.ndarray | int) -> np.ndarray:
        sums = self._sums[stop] - self._sums[first]
        squares = self._squares[stop] - self._squares[first]
        return np.asarray(np.maximum(squares - (sums**2).sum(axis=-1) / (stop - first), 0.0))


def partition(vectors: np.ndarray, costs: PartitionCosts | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the beginnings of the best parts, and the confidence of each.

    The confidence of a beginning is 1 less the share of ``costs.part`` in what the partition would cost without it,
    0 to 1; that of the first is 1.

    Args:
        vectors: (n, d) vectors.
        costs: what a partition costs.

    >>> partition(np.repeat([[0.0], [1.0], [0.0]], 32, axis=0))
    (array([ 0, 32, 64]), array([1.  , 0.75, 0.75]))
    """
    costs = costs or PartitionCosts()
    count = len(vectors)
    if not count:
        return np.empty(0, np.int64), np.empty(0)
    distances = _Distances(vectors)
    lengths = _length_costs(count, costs)
    best, back = np.full(count + 1, np.inf), np.zeros(count + 1, np.int64)
    best[0] = 0.0
    candidates = np.zeros(1, np.int64)
    for stop in range(min(costs.least, count), count + 1):
        if stop >= 2 * costs.least:
            candidates = np.append(candidates, stop - costs.least)
        bare = best[candidates] + distances.between(candidates, stop)
        total = bare + lengths[stop - candidates]
        last = int(total.argmin())
        best[stop], back[stop] = total[last], candidates[last]
        is_possible = bare <= best[stop] + costs.part * costs.irregularity
        if is_possible.sum() > _MOST_CANDIDATES:
            is_possible &= bare <= np.partition(bare, _MOST_CANDIDATES - 1)[_MOST_CANDIDATES - 1]
        candidates = candidates[is_possible]
    starts = [int(back[count])]
    while starts[-1]:
        starts.append(int(back[starts[-1]]))
    starts_array = np.array(starts[::-1], np.int64)
    return starts_array, _confidences(starts_array, count, distances, costs)


def _length_costs(count: int, costs: PartitionCosts) -> np.ndarray:
    """(count + 1,) cost of a part by its length."""
    length = np.arange(count + 1)
    irregular = np.ones(count + 1)
    for divisor, share in ((4, 0.7), (2, 0.4), (1, 0.0)):
        irregular[length % max(costs.period // divisor, 1) == 0] = share
    return costs.part * (1.0 + costs.irregularity * irregular)


def _confidences(starts: np.ndarray, count: int, distances: _Distances, costs: PartitionCosts) -> np.ndarray:
    if len(starts) < 2:
        return np.ones(len(starts))
    edges = np.append(starts, count)
    alone = distances.between(edges[:-1], edges[1:])
    gain = distances.between(edges[:-2], edges[2:]) - alone[:-1] - alone[1:]
    return np.append(1.0, np.clip(1.0 - costs.part / np.maximum(gain, 1e-12), 0.0, 1.0))
