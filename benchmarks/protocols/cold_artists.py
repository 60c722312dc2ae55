"""Last.fm HetRec 2011, cold artists: artists without any plays in training.

A fifth of the 2,828 artists with five listeners or more, 565 at random (three seeds), are removed from training with
all their plays. Each listener of one of them gets a ranking of only these 565; the artists they play are relevant. The
models may read an artist's tags, but for each listener only the tags by others: a listener's own tags would reveal that
they know the artist. Settings and the weight of the blend were chosen on another removed fifth of the artists, with
seeds 0 and 1.
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
TAG_COUNT_WEIGHT = 0.1
"""Weight of the logarithm of the number of tags, beside the cosine similarity."""
BLEND = {"cold_start": 0.4, "content": 0.6}


@dataclass(frozen=True)
class ScoreTable:
    """A fitted model that is a table of scores (users, tracks)."""

    table: np.ndarray

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Return the rows of some users."""
        return self.table[users]


def cold(plays: "hetrec.Interactions", seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the artists for test and the artists for validation."""
    rng = np.random.default_rng(seed)
    eligible = rng.permutation(np.flatnonzero(np.bincount(plays.track, minlength=plays.shape[1]) >= FEWEST_LISTENERS))
    test_count = int(len(eligible) * SHARE)
    return np.sort(eligible[:test_count]), np.sort(eligible[test_count : 2 * test_count])


def measure(folder: Path) -> Iterator[Row]:
    """Measure all seeds."""
    data = hetrec.read(folder)
    for seed in SEEDS:
        test, _ = cold(data[0], seed)
        yield from rows(data, test, test, seed)


def rows(
    data: tuple, ranked: np.ndarray, hidden: np.ndarray, seed: int, shares: dict[str, float] | None = None
) -> Iterator[Row]:
    """Measure every model on the ranked artists, with the hidden ones removed from training."""
    plays, tagged, friends = data
    train = plays.only(~np.isin(plays.track, hidden))
    place = np.full(plays.shape[1], -1)
    place[ranked] = np.arange(len(ranked))
    ranked_plays = plays.only(np.isin(plays.track, ranked))
    relevant = {user: place[tracks] for user, tracks in ranked_plays.tracks_by_user().items()}

    counts = hetrec.tag_counts(tagged, plays.shape[1], fewest=1)
    own, others = _without_own(tagged, place, counts)
    tag_totals = np.asarray(counts.sum(axis=1)).ravel()
    tag_totals_by_others = np.asarray(others.sum(axis=1)).ravel()
    rarity = np.log(plays.shape[1] / np.maximum(np.bincount(counts.indices, minlength=counts.shape[1]), 1))
    tag_vectors, tag_vectors_by_others = _tag_vectors(counts, rarity), _tag_vectors(others, rarity)

    profile = unit_rows(sparse.csr_array(Weighting(logarithm=True).matrix(train, 1) @ tag_vectors))
    cosine = (profile @ tag_vectors[ranked].T).toarray()
    cosine[own] = np.asarray((profile[own[0]] * tag_vectors_by_others).sum(axis=1)).ravel()
    log_totals = np.tile(np.log1p(tag_totals[ranked]), (plays.shape[0], 1))
    log_totals[own] = np.log1p(tag_totals_by_others)

    seen_tags: sparse.csr_array = sparse.csr_array(
        sparse.diags_array(1.0 - np.isin(np.arange(plays.shape[1]), hidden)) @ counts
    )
    attributes = hetrec.logarithms(Attributes(friends, sparse.csr_array(_frequent(seen_tags))))
    taste = TASTE.fit(train, 1, attributes)
    listeners = np.bincount(train.track, minlength=plays.shape[1])
    mapping = ColdStart().fit(tag_vectors, tag_totals, taste.track, listeners)
    mapped = taste.user @ mapping.vectors(tag_vectors[ranked], tag_totals[ranked]).T
    mapped[own] = np.einsum(
        "nd,nd->n", taste.user[own[0]], mapping.vectors(tag_vectors_by_others, tag_totals_by_others)
    )

    fits: dict[str, Fitted] = {
        "content": ScoreTable(cosine + TAG_COUNT_WEIGHT * log_totals),
        "cold_start": ScoreTable(mapped),
        "content, cosine alone": ScoreTable(cosine),
        "number of tags": SameForAll(np.log1p(tag_totals[ranked])),
    }
    blend = BlendFit({name: fits[name] for name in BLEND}, shares or BLEND, {})
    setting = " ".join(f"{name} {weight:.2f}" for name, weight in (shares or BLEND).items())
    for name, fit in {"blend": blend, **fits}.items():
        yield Row(name, setting if name == "blend" else "", full_ranking(fit, {}, relevant, len(ranked)), seed)


def _without_own(
    tagged: pl.DataFrame, place: np.ndarray, counts: sparse.csr_array
) -> tuple[tuple[np.ndarray, np.ndarray], sparse.csr_array]:
    """Return pairs (user, rank place) of listeners who tagged a ranked artist, and its tags by all others."""
    tags = np.unique(tagged["tag"].to_numpy())
    user, track = tagged["user"].to_numpy(), tagged["track"].to_numpy()
    is_ranked = place[track] >= 0
    pairs, pair_index = np.unique(np.stack([user[is_ranked], track[is_ranked]]), axis=1, return_inverse=True)
    column = np.searchsorted(tags, tagged["tag"].to_numpy()[is_ranked])
    own = sparse.csr_array((np.ones(len(column)), (pair_index.ravel(), column)), (pairs.shape[1], len(tags)))
    others = sparse.csr_array(counts[pairs[1]] - own)
    others.eliminate_zeros()
    return (pairs[0], place[pairs[1]]), others


def _tag_vectors(counts: sparse.csr_array, rarity: np.ndarray) -> sparse.csr_array:
    """Weigh tag counts by the rarity of tags and scale rows to length one."""
    rows = sparse.csr_array(counts, dtype=np.float64, copy=True)
    rows.data = np.log1p(rows.data)
    return unit_rows(sparse.csr_array(rows @ sparse.diags_array(rarity)))


def _frequent(counts: sparse.csr_array) -> sparse.csr_array:
    return counts[:, np.bincount(counts.indices, minlength=counts.shape[1]) >= hetrec.FEWEST_ARTISTS]
