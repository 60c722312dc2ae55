"""People, their plays and what they should be recommended, for private models: simulated, MovieLens and HetRec.

A simulated world is that of ``refrain simulate``, drawn without its files; train is what was played in the first four
fifths of the time, and relevant is what a listener played after it for the first time. MovieLens 100k and HetRec are
split at random, of each person's tracks 8:1:1, as ``benchmarks.protocols.hetrec`` does it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.protocols import hetrec
from training.datasets.interactions import Interactions
from transforms.raw.simulate.plays import listen
from transforms.raw.simulate.world import Size, draw

DEPTH = 10
TRAIN_SHARE = 0.8
BATCH = 500
Scores = Callable[[np.ndarray], np.ndarray]
"""(users,) to (users, tracks) scores."""


@dataclass(frozen=True)
class People:
    """People with a past and a future.

    Attributes:
        plays: (people, tracks) number of plays that are learned from.
        known: (people, tracks) above 0 where a track is not to be recommended.
        relevant: (people, tracks) above 0 where it should be.
        users: numbers of the people who are measured.
    """

    plays: sparse.csr_array
    known: sparse.csr_array
    relevant: sparse.csr_array
    users: np.ndarray

    @property
    def weights(self) -> sparse.csr_array:
        """(people, tracks) log₂(1 + plays)."""
        table = self.plays.copy()
        table.data = np.log2(1 + table.data)
        return table


def simulated(people: int, tracks: int, plays: int, seed: int, measured: int) -> People:
    """Draw a simulated world of 60 days; ``measured`` people are measured, at random."""
    rng = np.random.default_rng(seed)
    world = draw(Size(people, tracks, 60, plays), rng)
    days = [batch.rows.select("user_id", "track_id", "event_timestamp") for batch in listen(world, rng)]
    rows = pl.concat(days)
    start = world.size.start
    cutoff = datetime.fromtimestamp(start.timestamp() + TRAIN_SHARE * world.size.days * 86_400, start.tzinfo)

    def table(part: pl.DataFrame) -> sparse.csr_array:
        numbers = [part[name].str.slice(1).cast(pl.Int64).to_numpy() for name in ("user_id", "track_id")]
        return _table(numbers[0], numbers[1], np.ones(part.height), (people, tracks))

    past, later = (
        table(rows.filter(pl.col("event_timestamp") < cutoff)),
        table(rows.filter(pl.col("event_timestamp") >= cutoff)),
    )
    new = sparse.csr_array(later - later.multiply(past > 0))
    new.eliminate_zeros()
    users = np.flatnonzero((np.diff(new.indptr) > 0) & (np.diff(past.indptr) > 0))
    return People(past, past, new, np.sort(rng.choice(users, min(measured, len(users)), replace=False)))


def split(plays: Interactions, seed: int, part: int) -> People:
    """Split pairs at random: ``part`` 1 is validation, 2 test; models learn from the remaining eight tenths."""
    parts = hetrec.parts(plays.user, seed)

    def table(mask: np.ndarray) -> sparse.csr_array:
        return _table(plays.user[mask], plays.track[mask], plays.weight[mask], plays.shape)

    relevant = table(parts == part)
    return People(table(parts == 0), table(parts < part), relevant, np.flatnonzero(np.diff(relevant.indptr) > 0))


def movielens(folder: Path, seed: int, part: int) -> People:
    """MovieLens 100k: every rating is one play."""
    from benchmarks.protocols import movielens as ratings

    return split(ratings.read(folder), seed, part)


def last_fm(folder: Path, seed: int, part: int) -> People:
    """HetRec Last.fm: counts of plays of artists."""
    return split(hetrec.read(folder)[0], seed, part)


def ndcg_of_people(scores: Scores, people: People) -> np.ndarray:
    """(measured people,) NDCG@10 of all unheard tracks."""
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    ideal = np.concatenate([[0.0], discounts.cumsum()])
    gains = []
    for first in range(0, len(people.users), BATCH):
        users = people.users[first : first + BATCH]
        table = np.array(scores(users), np.float64)
        table[people.known[users].nonzero()] = -np.inf
        top = np.argpartition(-table, DEPTH, axis=1)[:, :DEPTH]
        top = np.take_along_axis(top, np.argsort(-np.take_along_axis(table, top, 1), axis=1, kind="stable"), 1)
        is_relevant = people.relevant[users].toarray() > 0
        hits = np.take_along_axis(is_relevant, top, 1)
        gains.append((hits * discounts).sum(axis=1) / ideal[np.minimum(is_relevant.sum(axis=1), DEPTH)])
    return np.concatenate(gains)


def _table(user: np.ndarray, track: np.ndarray, weight: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    table = sparse.csr_array((np.asarray(weight, np.float64), (user, track)), shape)
    table.sum_duplicates()
    return table
