"""Plays of listeners of six tastes, among whom tests put fake accounts."""

import numpy as np

from training.datasets import Interactions

DAY = 86_400_000_000


def listeners_of_six_tastes(people: int = 160, tracks: int = 240, seed: int = 0) -> Interactions:
    """Listeners who begin over a year, and play 12 to 40 tracks."""
    rng = np.random.default_rng(seed)
    chances = 1 / np.arange(1, tracks + 1) ** 0.6
    rows = []
    for user in range(people):
        liked = chances * np.where(np.arange(tracks) % 6 == user % 6, 8, 1)
        played = rng.choice(tracks, rng.integers(12, 40), replace=False, p=liked / liked.sum())
        begin = rng.integers(365 * DAY)
        rows += [(user, int(track), int(begin + number * DAY // 4)) for number, track in enumerate(played)]
    user, track, time = np.array(sorted(rows, key=lambda row: row[2])).T
    ids = [[f"{kind}{number:03}" for number in range(size)] for kind, size in (("u", people), ("t", tracks))]
    return Interactions(*ids, [None] * tracks, user, track, time)
