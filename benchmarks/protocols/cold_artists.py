"""Last.fm HetRec 2011, artists that nobody has played yet.

A fifth of the 2,828 artists with five listeners or more, 565 at random (three seeds), are taken out of training, with
all that was played of them. Each listener of one of them gets a list of these 565 alone; those they play are relevant.
What the models may read of such an artist are tags, for each listener those by others alone: their own tags would say
that they know the artist. Settings and the weight of the blend were chosen on another fifth of the artists, taken out
as well, of seeds 0 and 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.protocols import hetrec
from benchmarks.protocols.row import Row, full_ranking
from training.datasets.attributes import Attributes, unit_rows
from training.models.recommendation.blend import BlendFit
from training.models.recommendation.cold_start import ColdStart
from training.models.recommendation.contract import Fitted, SameForAll
from training.models.recommendation.ials import IALS
from training.models.recommendation.weighting import Weighting

NAME, DATA = "hetrec, cold artists", hetrec.DATA
GOAL = {"ndcg_at_10": 0.42}
SEEDS = (0, 1, 2)
FEWEST_LISTENERS, SHARE = 5, 0.2
TASTE = IALS(64, 16, 0.7, 0.006, None, user_attributes=3.5, track_attributes=3.5)
TOLD = 0.1
"""Of the logarithm of the number of tags, beside a cosine."""
BLEND = {"cold_start": 0.4, "content": 0.6}


@dataclass(frozen=True)
class Scored:
    """A table of scores."""

    table: np.ndarray

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Its rows."""
        return self.table[users]


def cold(plays: "hetrec.Interactions", seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the artists of test, and of those that settings may be chosen on."""
    rng = np.random.default_rng(seed)
    eligible = rng.permutation(np.flatnonzero(np.bincount(plays.track, minlength=plays.shape[1]) >= FEWEST_LISTENERS))
    few = int(len(eligible) * SHARE)
    return np.sort(eligible[:few]), np.sort(eligible[few : 2 * few])


def measure(folder: Path) -> Iterator[Row]:
    """All seeds."""
    data = hetrec.read(folder)
    for seed in SEEDS:
        test, _ = cold(data[0], seed)
        yield from rows(data, test, test, seed)


def rows(
    data: tuple, asked: np.ndarray, hidden: np.ndarray, seed: int, shares: dict[str, float] | None = None
) -> Iterator[Row]:
    """Every model on the artists that are asked about, the hidden ones taken out of training."""
    plays, tagged, friends = data
    train = plays.only(~np.isin(plays.track, hidden))
    place = np.full(plays.shape[1], -1)
    place[asked] = np.arange(len(asked))
    wanted = plays.only(np.isin(plays.track, asked))
    relevant = {user: place[tracks] for user, tracks in wanted.tracks_by_user().items()}

    counts = hetrec.tag_counts(tagged, plays.shape[1], fewest=1)
    own, others = _without_own(tagged, place, counts)
    told = np.asarray(counts.sum(axis=1)).ravel()
    told_by_others = np.asarray(others.sum(axis=1)).ravel()
    rarity = np.log(plays.shape[1] / np.maximum(np.bincount(counts.indices, minlength=counts.shape[1]), 1))
    described, described_by_others = _described(counts, rarity), _described(others, rarity)

    profile = unit_rows(sparse.csr_array(Weighting(logarithm=True).matrix(train, 1) @ described))
    cosine = (profile @ described[asked].T).toarray()
    cosine[own] = np.asarray((profile[own[0]] * described_by_others).sum(axis=1)).ravel()
    much = np.tile(np.log1p(told[asked]), (plays.shape[0], 1))
    much[own] = np.log1p(told_by_others)

    seen_tags: sparse.csr_array = sparse.csr_array(
        sparse.diags_array(1.0 - np.isin(np.arange(plays.shape[1]), hidden)) @ counts
    )
    attributes = hetrec.logarithms(Attributes(friends, sparse.csr_array(_frequent(seen_tags))))
    taste = TASTE.fit(train, 1, attributes)
    listeners = np.bincount(train.track, minlength=plays.shape[1])
    mapping = ColdStart().fit(described, told, taste.track, listeners)
    mapped = taste.user @ mapping.vectors(described[asked], told[asked]).T
    mapped[own] = np.einsum("nd,nd->n", taste.user[own[0]], mapping.vectors(described_by_others, told_by_others))

    fits: dict[str, Fitted] = {
        "content": Scored(cosine + TOLD * much),
        "cold_start": Scored(mapped),
        "content, cosine alone": Scored(cosine),
        "number of tags": SameForAll(np.log1p(told[asked])),
    }
    blend = BlendFit({name: fits[name] for name in BLEND}, shares or BLEND, {})
    setting = " ".join(f"{name} {weight:.2f}" for name, weight in (shares or BLEND).items())
    for name, fit in {"blend": blend, **fits}.items():
        yield Row(name, setting if name == "blend" else "", full_ranking(fit, {}, relevant, len(asked)), seed)


def _without_own(
    tagged: pl.DataFrame, place: np.ndarray, counts: sparse.csr_array
) -> tuple[tuple[np.ndarray, np.ndarray], sparse.csr_array]:
    """Pairs (user, place) of who tagged an artist that is asked about; and the tags it has from all others."""
    tags = np.unique(tagged["tag"].to_numpy())
    user, track = tagged["user"].to_numpy(), tagged["track"].to_numpy()
    here = place[track] >= 0
    pairs, number = np.unique(np.stack([user[here], track[here]]), axis=1, return_inverse=True)
    column = np.searchsorted(tags, tagged["tag"].to_numpy()[here])
    own = sparse.csr_array((np.ones(len(column)), (number.ravel(), column)), (pairs.shape[1], len(tags)))
    rest = sparse.csr_array(counts[pairs[1]] - own)
    rest.eliminate_zeros()
    return (pairs[0], place[pairs[1]]), rest


def _described(counts: sparse.csr_array, rarity: np.ndarray) -> sparse.csr_array:
    """Rows of length one, by the rarity of tags among all artists."""
    rows = sparse.csr_array(counts, dtype=np.float64, copy=True)
    rows.data = np.log1p(rows.data)
    return unit_rows(sparse.csr_array(rows @ sparse.diags_array(rarity)))


def _frequent(counts: sparse.csr_array) -> sparse.csr_array:
    return counts[:, np.bincount(counts.indices, minlength=counts.shape[1]) >= hetrec.FEWEST_ARTISTS]
