"""Accounts that began within the same days and play the same track: more than began then among all listeners.

For a listener and each of their tracks: of the n other listeners of the track, k began within ``DAYS`` of this account;
of all accounts a share p did. The evidence is −log₁₀ P(Binomial(n, p) ≥ k), less log₁₀ of the pairs that were looked
at; the largest over the tracks counts. A release that is hot among listeners who were there before gives none.
"""

import numpy as np
from scipy.stats import binom

from training.datasets.interactions import Interactions

DAYS = 2.0
MICROSECONDS_A_DAY = 86_400_000_000


def burst(plays: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """Evidence of a burst, and the track that it is about.

    Args:
        plays: plays in order of time.

    Returns:
        (listeners,) evidence in powers of ten, 0 for none; and the number of the track, -1 for none.
    """
    people, tracks = plays.shape
    evidence, about = np.zeros(people), np.full(people, -1)
    if not len(plays.time):
        return evidence, about
    active, first_play = np.unique(plays.user, return_index=True)
    start = np.zeros(people, np.int64)
    start[active] = plays.time[first_play]
    width = round(DAYS * MICROSECONDS_A_DAY)
    pairs = np.unique(plays.user * tracks + plays.track)
    user, track = pairs // tracks, pairs % tracks
    order = np.lexsort((start[user], track))
    user, track = user[order], track[order]
    began = start[user]
    bounds = np.searchsorted(track, np.arange(tracks + 1))
    all_starts = np.sort(start[active])
    nearby = np.zeros(len(user))
    for number in np.flatnonzero(np.diff(bounds) > 1).tolist():
        part = slice(bounds[number], bounds[number + 1])
        nearby[part] = _within(began[part], began[part], width) - 1
    share = (_within(all_starts, began, width) - 1) / max(len(active) - 1, 1)
    others = np.diff(bounds)[track] - 1
    tail = binom.logsf(nearby - 1, others, share) / np.log(10)
    worth = np.maximum(np.where(others > 0, -tail, 0) - np.log10(len(user)), 0)
    best = np.lexsort((track, -worth, user))
    listener, place = np.unique(user[best], return_index=True)
    evidence[listener] = worth[best][place]
    about[listener] = np.where(evidence[listener] > 0, track[best][place], -1)
    return evidence, about


def _within(ordered: np.ndarray, moments: np.ndarray, width: int) -> np.ndarray:
    """Counts the ordered values within a width of each moment."""
    return np.searchsorted(ordered, moments + width, "right") - np.searchsorted(ordered, moments - width, "left")
