"""Which ratings of MovieLens 100k are 4 or 5, from what is known of film and listener: rows for classifiers."""

from pathlib import Path

import numpy as np


def read(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read all ratings in order of time; the newest fifth is the test.

    Returns:
        (n, d) features (genres, age, gender, occupation), (n,) labels, listeners, occupations, and test flags.
    """
    rows = np.loadtxt(folder / "u.data", np.int64)
    rows = rows[np.argsort(rows[:, 3], kind="stable")]
    people = [line.split("|") for line in (folder / "u.user").read_text().splitlines()]
    films = [line.split("|") for line in (folder / "u.item").read_text("latin-1").splitlines()]
    jobs = sorted({person[3] for person in people})
    genres = np.array([[float(flag) for flag in film[5:24]] for film in films])
    about = np.array([[(int(person[1]) - 35) / 12, float(person[2] == "M")] for person in people])
    job = np.array([jobs.index(person[3]) for person in people])
    user, film = rows[:, 0] - 1, rows[:, 1] - 1
    features = np.column_stack([genres[film], about[user], np.eye(len(jobs))[job[user]]])
    is_test = np.arange(len(rows)) >= 4 * len(rows) // 5
    return features, (rows[:, 2] >= 4).astype(float), user, job[user], is_test
