"""Does this person like this film? Networks trained privately, beside what else could be done, on people never seen.

MovieLens 100k: a rating of 4 or 5 is a yes. Columns: genres and year of the film, age and gender of the person; their
bounds are known beforehand. One person in three is held out with all ratings; settings were chosen on the first
of three divisions (seed 0), figures are of the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from training.estimators.torch_mlp import TorchMlp
from training.models.lightgbm_onnx import OnnxBooster
from training.private.differential import linear, zcdp
from training.private.differential.rows.fit import LEARNERS, PrivateRows
from training.private.differential.rows.person_rows import choose_rows
from training.private.differential.sgd import PrivateNetwork

YEARS, AGES = (1920.0, 1998.0), (5.0, 80.0)
HELD_OUT = 1 / 3
PUBLIC_PEOPLE, NO_NOISE, DRAWS = 600, 1e12, 100
"""About how many people there are; ρ of sums without noise; draws of people for intervals."""


@dataclass(frozen=True)
class Likes:
    """Ratings as rows.

    Attributes:
        inputs: (n, d) columns.
        answers: (n,) 1 for a rating of 4 or 5.
        people: (n,) person.
        bounds: least and largest value of each column.
    """

    inputs: np.ndarray
    answers: np.ndarray
    people: np.ndarray
    bounds: tuple[np.ndarray, np.ndarray]

    def parts(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Masks of the rows that are learned from, and of those of other people."""
        names = np.unique(self.people)
        rng = np.random.default_rng(seed)
        held_out = rng.choice(names, round(len(names) * HELD_OUT), replace=False)
        is_test = np.isin(self.people, held_out)
        return ~is_test, is_test

    def auc(self, chances: np.ndarray, mask: np.ndarray) -> dict[str, float]:
        """AUC of the rows of a mask, and the ends of its interval over people drawn with replacement."""
        from sklearn.metrics import roc_auc_score

        answers, (names, person) = self.answers[mask], np.unique(self.people[mask], return_inverse=True)
        rng = np.random.default_rng(0)
        draws = [np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names)) for _ in range(DRAWS)]
        values = [roc_auc_score(answers, chances, sample_weight=times[person]) for times in draws]
        low, high = np.quantile(values, [0.025, 0.975])
        mean = float(roc_auc_score(answers, chances))
        return {"value": round(mean, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def read(folder: Path) -> Likes:
    """Read the ratings."""
    ratings = np.loadtxt(folder / "u.data", np.int64)
    people = dict(_people(folder))
    films = dict(_films(folder))
    inputs = np.array(
        [films[film] + people[person] for person, film in ratings[:, :2].tolist()],
        np.float32,
    )
    genres = inputs.shape[1] - 3
    low = np.array([0.0] * genres + [YEARS[0], AGES[0], 0.0], np.float32)
    high = np.array([1.0] * genres + [YEARS[1], AGES[1], 1.0], np.float32)
    return Likes(inputs, (ratings[:, 2] >= 4).astype(float), ratings[:, 0], (low, high))


def measure(
    folder: Path, seeds: tuple[int, ...], epsilons: tuple[float, ...], delta: float
) -> Iterator[dict[str, Any]]:
    """Measure all models on divisions: the AUC of people who were held out, with its interval over people."""
    likes = read(folder)
    for seed in seeds:
        past, later = likes.parts(seed)
        rows = (likes.inputs[past], likes.answers[past])
        plain = linear.fit(*rows, likes.people[past], likes.bounds, NO_NOISE, np.random.default_rng(seed))
        open_models: dict[str, Any] = {
            "torch": TorchMlp().fit(*rows, "binary", {"passes": 5}),
            "logistic by sums": plain,
        }
        for name, model in open_models.items():
            yield {"model": name, "seed": seed, **likes.auc(model.predict(likes.inputs[later]), later)}
        for epsilon in epsilons:
            rho = zcdp.rho(epsilon, delta)
            network, _ = PrivateNetwork(epsilon, delta).fit(
                *rows, likes.people[past], "binary", likes.bounds, PUBLIC_PEOPLE, seed
            )
            sums = linear.fit(*rows, likes.people[past], likes.bounds, rho, np.random.default_rng(seed))
            for name, private in (("DP-SGD", network), ("logistic by noisy sums", sums)):
                figures = likes.auc(private.predict(likes.inputs[later]), later)
                yield {"model": name, "seed": seed, "epsilon": epsilon, **figures}
            for learner in LEARNERS:
                release = _command(likes, past, PrivateRows(epsilon, delta, learner), seed)
                figures = likes.auc(release.predict(likes.inputs[later]), later)
                yield {"model": f"refrain model private, {learner}", "seed": seed, "epsilon": epsilon, **figures}


def _command(likes: Likes, mask: np.ndarray, settings: PrivateRows, seed: int) -> OnnxBooster:
    """The model of ``refrain model private``: a few rows of each person; year and age without declared bounds."""
    width = likes.inputs.shape[1]
    columns, places = [str(column) for column in range(width)], np.flatnonzero(mask)
    rows = pl.DataFrame({"person": likes.people[places], "label": likes.answers[places], "place": places})
    chosen = choose_rows(rows, "person")["place"].to_numpy()
    known = {columns[column]: (0.0, 1.0) for column in range(width) if likes.bounds[1][column] == 1}
    rng = np.random.default_rng(seed)
    people = likes.people[chosen]
    release = settings.release(likes.inputs[chosen], likes.answers[chosen], people, columns, known, rng)
    return OnnxBooster(release.onnx)


def _people(folder: Path) -> Iterator[tuple[int, list[float]]]:
    for line in (folder / "u.user").read_text().splitlines():
        person, age, gender, *_ = line.split("|")
        yield int(person), [float(age), float(gender == "F")]


def _films(folder: Path) -> Iterator[tuple[int, list[float]]]:
    for line in (folder / "u.item").read_text(encoding="latin-1").splitlines():
        film, _, released, *rest = line.split("|")
        year = float(released.rpartition("-")[2]) if released else float("nan")
        yield int(film), [*(float(value) for value in rest[-19:]), year]
