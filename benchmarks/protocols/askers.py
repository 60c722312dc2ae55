"""Owners of keys, simulated from real data: ordinary ones, and those who copy a model.

*Keys.* An ordinary owner is a front end of some listeners of HetRec (one to all of its half of the people). It asks
about a listener at each of their visits: once, or once a tag that they gave then. Visits are in the order of their
months, at random within a month, as nothing finer is known; a listener is unknown in the first month. Ids are those of
the data set. Listeners are divided into disjoint parts, so that owners who are judged have none in common with others.

*Rows.* An ordinary owner is a sensor in a network: it asks about connections of NSL-KDD of a few services, in shares of
its own, and of several rows at once again. The rows are divided at random, for they have no time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from inference.security.theft.counts import WINDOW
from inference.security.theft.ordinary import CHECKPOINTS
from inference.security.theft.row_marks import RowMarks
from inference.security.theft.successors import REACH

WINDOWS = 3
"""Windows of an owner that are simulated, at the most."""
KEY_SHARES, ROW_SHARES = ("new", "successor", "unknown"), ("new", "outside", "far", "undecided", "stepped")


@dataclass(frozen=True)
class Visits:
    """Visits of listeners in time order.

    Attributes:
        person: (n,) number of the listener's id.
        questions: (n,) number of questions of a visit.
        is_first: (n,) whether it is in the listener's first month.
    """

    person: np.ndarray
    questions: np.ndarray
    is_first: np.ndarray

    @classmethod
    def read(cls, folder: Path, seed: int = 0) -> "Visits":
        """Read the visits of HetRec: one for each listener and month."""
        tags = pl.read_csv(folder / "user_taggedartists.dat", separator="\t").filter(pl.col("year") >= 2005)
        months = (
            tags.group_by("userID", month=pl.col("year") * 12 + pl.col("month"))
            .agg(questions=pl.len())
            .with_columns(first=pl.col("month").min().over("userID"))
            .sort("month", "userID")
            .sample(fraction=1.0, shuffle=True, seed=seed)
            .sort("month", maintain_order=True)
        )
        return cls(
            months["userID"].to_numpy(), months["questions"].to_numpy(), (months["month"] == months["first"]).to_numpy()
        )

    def people(self, part: int, parts: int) -> np.ndarray:
        """Return the listeners of one of several disjoint parts, drawn at random."""
        return np.random.default_rng(9).permutation(np.unique(self.person))[part::parts]


def ordinary_key_owner(visits: Visits, people: np.ndarray, seed: int) -> np.ndarray:
    """Simulate the questions of a front end: shares (windows, checkpoints, 3)."""
    rng = np.random.default_rng(seed)
    size = int(np.exp(rng.uniform(0, np.log(len(people) + 1))))
    group = rng.choice(people, max(size, 1), replace=False)
    places = np.flatnonzero(np.isin(visits.person, group))
    places = places[rng.integers(max(len(places) - 50, 1)) :]
    times = visits.questions[places] if rng.random() < 0.7 else np.ones(len(places), np.int64)
    person = np.repeat(visits.person[places], times)[: WINDOWS * WINDOW]
    unknown = np.repeat(visits.is_first[places], times)[: WINDOWS * WINDOW]
    return key_shares(person, unknown)


def key_shares(keys: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Compute the shares of questions about keys: (windows, checkpoints, 3), NaN where fewer were asked."""
    steps = np.diff(keys, prepend=keys[:1])
    marks = np.column_stack([(steps > 0) & (steps <= REACH), unknown])
    return _shares(keys, marks)


def ordinary_row_owner(
    services: np.ndarray, inputs: np.ndarray, marks: np.ndarray, rows: np.ndarray, seed: int
) -> np.ndarray:
    """Simulate the questions of a sensor: shares (windows, checkpoints, 5).

    Args:
        services: (n,) service of each connection.
        inputs: (n, d) all connections.
        marks: (n, 3) ``outside``, ``far`` and ``undecided`` of each.
        rows: places of the rows that this owner may ask about.
        seed: random seed.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(services[rows])
    watched = rng.choice(names, min(int(rng.integers(1, 9)), len(names)), replace=False)
    weights = dict(zip(watched.tolist(), rng.dirichlet(np.ones(len(watched))).tolist(), strict=True))
    own = rows[np.isin(services[rows], watched)]
    counts = pl.Series(services[own]).value_counts()
    sizes = dict(counts.iter_rows())
    chances = np.array([weights[service] / sizes[service] for service in services[own].tolist()])
    places = rng.choice(own, int(rng.integers(100, WINDOWS * WINDOW)), p=chances / chances.sum())
    again = rng.random(len(places)) < rng.uniform(0, 0.3)
    places = np.where(again, np.roll(places, 1), places)
    return row_shares(inputs[places], marks[places], places)


def row_shares(inputs: np.ndarray, marks: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Compute the shares of questions that are rows: (windows, checkpoints, 5).

    Args:
        inputs: (n, d) rows in the order of the questions.
        marks: (n, 3) ``outside``, ``far`` and ``undecided``.
        names: (n,) equal where the rows are.
    """
    changes = (np.diff(inputs, axis=0, prepend=inputs[:1]) != 0).sum(axis=1)
    return _shares(names, np.column_stack([marks, (changes >= 1) & (changes <= 2)]))


def simulate(one: Callable[[int], np.ndarray], seeds: Sequence[int]) -> np.ndarray:
    """Simulate one owner a seed: (owners, windows, checkpoints, shares)."""
    return np.stack([one(seed) for seed in seeds])


def find_marks(marks: RowMarks, inputs: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Find the marks of rows that do not depend on the order: (n, 3)."""
    by_name = marks.find(inputs, answers)
    return np.column_stack([by_name[name] for name in ("outside", "far", "undecided")])


def _shares(names: np.ndarray, marks: np.ndarray) -> np.ndarray:
    shares = np.full((WINDOWS, len(CHECKPOINTS), 1 + marks.shape[1]), np.nan)
    for window in range(WINDOWS):
        part, part_marks = names[window * WINDOW :][:WINDOW], marks[window * WINDOW :][:WINDOW]
        for place, point in enumerate(CHECKPOINTS):
            if len(part) >= point:
                shares[window, place] = [len(np.unique(part[:point])) / point, *part_marks[:point].mean(axis=0)]
    return shares
