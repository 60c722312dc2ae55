"""MovieLens 100k as plays: every rating is one, in order of time; those of one moment in the order of the file."""

from pathlib import Path

import numpy as np

from training.datasets.interactions import Interactions

DATA = "movielens-100k"


def read(folder: Path) -> Interactions:
    """All 100,000 ratings; times in µs since 1970 UTC."""
    rows = np.loadtxt(folder / "u.data", np.int64)
    users, user = np.unique(rows[:, 0], return_inverse=True)
    films, film = np.unique(rows[:, 1], return_inverse=True)
    order = np.argsort(rows[:, 3], kind="stable")
    names = [str(one) for one in films.tolist()]
    return Interactions(
        [str(one) for one in users.tolist()], names, names, user[order], film[order], rows[order, 3] * 1_000_000
    )
