"""MovieLens 100k as plays: every rating is a play, in order of time; equal times keep the order of the file."""

from pathlib import Path

import numpy as np

from training.datasets.interactions import Interactions

DATA = "movielens-100k"


def read(folder: Path) -> Interactions:
    """Read all 100,000 ratings; times are µs since 1970 UTC."""
    rows = np.loadtxt(folder / "u.data", np.int64)
    users, user = np.unique(rows[:, 0], return_inverse=True)
    films, film = np.unique(rows[:, 1], return_inverse=True)
    order = np.argsort(rows[:, 3], kind="stable")
    names = [str(film_id) for film_id in films.tolist()]
    return Interactions(
        [str(user_id) for user_id in users.tolist()], names, names, user[order], film[order], rows[order, 3] * 1_000_000
    )
