"""Weights of plays: by number, age and recency."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions
from training.exact import gram

MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class Weighting:
    """Settings that turn plays into one weight for each pair of listener and track.

    Attributes:
        logarithm: whether the weight is log₂(1 + plays); otherwise all pairs weigh the same.
        half_life_days: age in days at which a play counts half; None for no fading.
        recency: factor of the weight for each distinct track that the listener played later; 1 for no effect.
        pause_s: seconds before the listener's last play at which a track counts half; None for no effect.
    """

    logarithm: bool = False
    half_life_days: float | None = None
    recency: float = 1.0
    pause_s: float | None = None

    @property
    def bits(self) -> int:
        """Bits after the point that sums of these weights are kept with; none where all weights are 1."""
        is_whole = not self.logarithm and self.half_life_days is None and self.recency == 1 and self.pause_s is None
        return 0 if is_whole else gram.BITS

    def matrix(self, seen: Interactions, cutoff: int) -> sparse.csr_array:
        """Builds the (users, tracks) float64 matrix of weights.

        Args:
            seen: plays before the cutoff, in order of time.
            cutoff: moment in µs since 1970 UTC from which the age of plays is counted.
        """
        play_weights = seen.weight
        if self.half_life_days is not None:
            play_weights = play_weights * 0.5 ** ((cutoff - seen.time) / MICROSECONDS_A_DAY / self.half_life_days)
        summed = sparse.csr_array((play_weights, (seen.user, seen.track)), shape=seen.shape)
        summed.sum_duplicates()
        if self.logarithm:
            summed.data = np.log2(1 + summed.data)
        elif self.half_life_days is None:
            summed.data[:] = 1
        if self.recency != 1:
            summed.data *= self.recency ** _distinct_tracks_since(seen, summed)
        if self.pause_s is not None:
            newest = np.full(seen.shape[0], np.iinfo(np.int64).min)
            np.maximum.at(newest, seen.user, seen.time)
            listener = np.repeat(np.arange(seen.shape[0]), np.diff(summed.indptr))
            summed.data *= pause_weights(_last_times(seen, summed), newest[listener], self.pause_s)
        return summed


def pause_weights(times: np.ndarray, last: np.ndarray, pause_s: float) -> np.ndarray:
    """Weights of plays by the time until the listener's last play: 1 / (1 + gap / pause), one half at the pause.

    Args:
        times: (n,) µs of the plays.
        last: (n,) µs of the last play of the same listener.
        pause_s: gap in seconds at which a play counts half.
    """
    return np.asarray(1 / (1 + (last - times) / 1e6 / pause_s))


def _last_times(seen: Interactions, pairs: sparse.csr_array) -> np.ndarray:
    """(pairs,) µs of the last play of each pair of listener and track."""
    rows = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
    stored = rows * seen.shape[1] + pairs.indices
    last = np.full(len(stored), np.iinfo(np.int64).min)
    np.maximum.at(last, np.searchsorted(stored, seen.user.astype(np.int64) * seen.shape[1] + seen.track), seen.time)
    return last


def _distinct_tracks_since(seen: Interactions, pairs: sparse.csr_array) -> np.ndarray:
    """Counts, for each pair of listener and track, the listener's distinct tracks last played after that track."""
    last = sparse.csr_array(pairs, copy=True)
    keys = seen.user.astype(np.int64) * seen.shape[1] + seen.track
    play_numbers = np.arange(1, len(keys) + 1)
    rows = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
    stored = rows * seen.shape[1] + pairs.indices
    last_play = np.zeros(len(stored), np.int64)
    np.maximum.at(last_play, np.searchsorted(stored, keys), play_numbers)
    last.data = last_play
    later_tracks = np.empty(len(stored))
    newest = np.lexsort((-last_play, rows))
    later_tracks[newest] = np.arange(len(stored)) - pairs.indptr[rows[newest]]
    return later_tracks
