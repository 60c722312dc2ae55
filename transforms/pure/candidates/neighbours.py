"""What goes with each track, and how strongly: the largest weights of any table of tracks by tracks."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HISTORY_FADES, SESSION_FADES = 0.98, 0.85
"""By which each earlier track of a history, and of a session, asks less."""
MOST_ASKED = 200
"""Tracks of a history that ask."""


@dataclass(frozen=True)
class Neighbours:
    """The k tracks that go best with each.

    Attributes:
        places: (tracks, k) int32, best first; filled up with -1.
        weights: (tracks, k) float32, 0 where there is no neighbour.
    """

    places: np.ndarray
    weights: np.ndarray

    def ask(self, asked: np.ndarray, amounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tracks that go with some others, in order of their place, and the sums of their weights.

        Args:
            asked: (h,) places.
            amounts: (h,) how much each of them asks.
        """
        found, weights = self.places[asked].ravel(), (self.weights[asked] * amounts[:, None]).ravel()
        there = found >= 0
        tracks, inverse = np.unique(found[there], return_inverse=True)
        return tracks.astype(np.int64), np.bincount(inverse, weights[there], minlength=len(tracks))

    def to_bytes(self) -> bytes:
        """As a file of a bundle."""
        out = io.BytesIO()
        np.savez(out, places=self.places, weights=self.weights)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Neighbours":
        """From such a file."""
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return cls(file["places"], file["weights"])


def fading(count: int, by: float) -> np.ndarray:
    """(count,) how much each track of a list asks that is newest first: 1, by, by², …"""
    return np.asarray(by ** np.arange(count))


def largest(tables: "Sequence[np.ndarray] | np.ndarray", k: int) -> Neighbours:
    """The k largest weights of each row, none of them 0 or less.

    Args:
        tables: dense blocks of rows, one under the other.
        k: how many are kept.
    """
    places, weights = [], []
    for block in tables:
        few = min(k, block.shape[1])
        best = np.argpartition(-block, few - 1, axis=1)[:, :few]
        order = np.argsort(-np.take_along_axis(block, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        value = np.take_along_axis(block, best, axis=1)
        places.append(np.where(value > 0, best, -1).astype(np.int32))
        weights.append(np.where(value > 0, value, 0).astype(np.float32))
    return Neighbours(np.concatenate(places), np.concatenate(weights))
