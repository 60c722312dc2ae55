"""Neighbours of tracks: the largest weights of any item-to-item matrix."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from transforms.pure import npz

HISTORY_FADES, SESSION_FADES = 0.98, 0.85
"""Decay per track of the weights of earlier tracks, in a history and in a session."""
MOST_ASKED = 200
"""Most tracks of a history that are used."""
DENSE = 16
"""Number of tracks for each neighbour up to which summing over all tracks is faster than sorting the neighbours."""


@dataclass(frozen=True)
class Neighbours:
    """The k nearest neighbours of each track.

    Attributes:
        places: (tracks, k) int32 numbers of the neighbours, best first; -1 where there is none.
        weights: (tracks, k) float32 weights; 0 where there is no neighbour.
    """

    places: np.ndarray
    weights: np.ndarray

    def scores(self, history: np.ndarray, amounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Neighbours of the given tracks, ordered by number, and the weighted sums of their weights.

        Args:
            history: (h,) numbers of the given tracks.
            amounts: (h,) weight of each given track.
        """
        neighbours, weights = self.places[history].ravel(), (self.weights[history] * amounts[:, None]).ravel()
        is_neighbour = neighbours >= 0
        if not is_neighbour.all():
            neighbours, weights = neighbours[is_neighbour], weights[is_neighbour]
        if len(self.places) <= DENSE * len(neighbours):
            tracks = np.flatnonzero(np.bincount(neighbours))
            return tracks, np.bincount(neighbours, weights)[tracks]
        tracks, inverse = np.unique(neighbours, return_inverse=True)
        return tracks.astype(np.int64), np.bincount(inverse, weights, minlength=len(tracks))

    def to_bytes(self) -> bytes:
        """Serialize for a bundle."""
        return npz.pack({"places": self.places, "weights": self.weights}, compressed=False)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Neighbours":
        """Deserialize the bytes of ``to_bytes``."""
        arrays = npz.unpack(content)
        return cls(arrays["places"], arrays["weights"])


def fading(count: int, decay: float) -> np.ndarray:
    """(count,) weights of the tracks in a list, newest first: 1, decay, decay², …"""
    return np.asarray(decay ** np.arange(count))


def largest(tables: Iterable[np.ndarray], k: int) -> Neighbours:
    """Select the k largest positive weights of each row.

    Args:
        tables: dense blocks of consecutive rows.
        k: number of neighbours per row.
    """
    places, weights = [], []
    for block in tables:
        count = min(k, block.shape[1])
        best = np.argpartition(-block, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(block, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        value = np.take_along_axis(block, best, axis=1)
        places.append(np.where(value > 0, best, -1).astype(np.int32))
        weights.append(np.where(value > 0, value, 0).astype(np.float32))
    return Neighbours(np.concatenate(places), np.concatenate(weights))
