"""Last.fm HetRec 2011, by the protocol of its published results.

All 92,834 pairs of 1,892 listeners and 17,632 artists, unfiltered. Of each listener's pairs, at random, one in ten is
test and one in ten validation (at least one of each if there are three), for three seeds. Models are fitted on the
remaining 80 % and rank all artists except those in the other two parts (for validation: except those of training; the
test artists count as wrong there). Settings and the blend's weights are chosen on validation of the first seed and used
for all. Besides play counts the models may read friendships and the tags that listeners gave to artists, but no tag
that a listener gave to an artist held out from them.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.protocols.row import Row, full_ranking
from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.models.recommendation.blend import BlendFit, learn_weights
from training.models.recommendation.content import Content
from training.models.recommendation.contract import Fitted, Model
from training.models.recommendation.ease import EASE
from training.models.recommendation.ials import IALS
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.weighting import Weighting

NAME, DATA = "hetrec, random 8:1:1", "hetrec2011-lastfm-2k"
GOAL = {"ndcg_at_10": 0.224, "recall_at_10": 0.230}
SEEDS = (0, 1, 2)
COUNTS = Weighting(logarithm=True)
FEWEST_ARTISTS = 5
"""Minimum number of artists of a tag; rarer tags are left out."""

MODELS: dict[str, Model] = {
    "ials": IALS(192, 16, 0.7, 0.006, None, user_attributes=3.5, track_attributes=3.5),
    "ease": EASE(6_000.0, COUNTS, COUNTS, user_attributes=4.0, track_attributes=7.0),
    "content": Content(),
    "rp3beta": RP3Beta(beta=0.3),
}
ALONE: dict[str, Model] = {
    "ials, plays alone": IALS(192, 16, 0.7, 0.008, None),
    "ease, plays alone": EASE(4_000.0, COUNTS, COUNTS),
    "popularity": Popularity(),
}


def read(folder: Path) -> tuple[Interactions, pl.DataFrame, sparse.csr_array]:
    """Read play counts as interactions, tags (user, track, tag) and friendships (users, users)."""

    def table(name: str) -> np.ndarray:
        return np.loadtxt(folder / name, np.int64, delimiter="\t", skiprows=1)

    counts = table("user_artists.dat")
    users, user = np.unique(counts[:, 0], return_inverse=True)
    artists, artist = np.unique(counts[:, 1], return_inverse=True)
    names = [str(artist_id) for artist_id in artists.tolist()]
    plays = Interactions(
        [str(user_id) for user_id in users.tolist()],
        names,
        names,
        user,
        artist,
        np.zeros(len(counts), np.int64),
        counts[:, 2].astype(float),
    )
    tagged = pl.DataFrame(table("user_taggedartists.dat")[:, :3], ["user", "track", "tag"]).unique()
    tagged = tagged.filter(pl.col("user").is_in(users.tolist()), pl.col("track").is_in(artists.tolist()))
    tagged = tagged.with_columns(
        user=pl.Series(np.searchsorted(users, tagged["user"])),
        track=pl.Series(np.searchsorted(artists, tagged["track"])),
    )
    pairs = table("user_friends.dat")
    place = (np.searchsorted(users, pairs[:, 0]), np.searchsorted(users, pairs[:, 1]))
    friends = sparse.csr_array((np.ones(len(pairs)), place), shape=(len(users), len(users)))
    return plays, tagged.sort("user", "track", "tag"), friends


def tag_counts(tagged: pl.DataFrame, tracks: int, fewest: int = FEWEST_ARTISTS) -> sparse.csr_array:
    """Count the listeners who gave each tag, (tracks, tags), for tags that enough tracks have."""
    tags, tag_index = np.unique(tagged["tag"].to_numpy(), return_inverse=True)
    counts = sparse.csr_array((np.ones(tagged.height), (tagged["track"].to_numpy(), tag_index)), (tracks, len(tags)))
    counts.sum_duplicates()
    return sparse.csr_array(counts[:, np.flatnonzero(np.bincount(counts.indices, minlength=len(tags)) >= fewest)])


def parts(user: np.ndarray, seed: int) -> np.ndarray:
    """Assign pairs to parts: (n,) 0 for training, 1 for validation, 2 for test."""
    rng = np.random.default_rng(seed)
    part = np.zeros(len(user), np.int8)
    order = np.lexsort((rng.random(len(user)), user))
    starts = np.flatnonzero(np.diff(user[order], prepend=-1))
    for places in np.split(order, starts[1:]):
        count = max(len(places) // 10, 1) if len(places) > 2 else 0
        part[places[:count]], part[places[count : 2 * count]] = 2, 1
    return part


def logarithms(attributes: Attributes) -> Attributes:
    """Transform counts to log₂(1 + count), like the counts of plays."""

    def logarithm(table: sparse.csr_array) -> sparse.csr_array:
        logs = sparse.csr_array(table, dtype=np.float64, copy=True)
        logs.data = np.log2(1 + logs.data)
        return logs

    return Attributes(logarithm(attributes.users), logarithm(attributes.tracks))


def by_user(plays: Interactions, mask: np.ndarray) -> dict[int, np.ndarray]:
    """Return user → tracks of the pairs of a mask."""
    return plays.only(mask).tracks_by_user()


def fit(
    plays: Interactions, tagged: pl.DataFrame, friends: sparse.csr_array, part: np.ndarray
) -> tuple[Attributes, dict[str, Fitted]]:
    """Fit the members of the blend to the training part; also return the attributes that may be read."""
    held_out_plays = plays.only(part > 0)
    held_out = pl.DataFrame({"user": held_out_plays.user, "track": held_out_plays.track})
    visible_tags = tagged.join(held_out, on=["user", "track"], how="anti")
    attributes = logarithms(Attributes(friends, tag_counts(visible_tags, plays.shape[1])))
    train = plays.only(part == 0)
    return attributes, {name: model.fit(train, 1, attributes) for name, model in MODELS.items()}


def measure(folder: Path) -> Iterator[Row]:
    """Measure all seeds: the blend, its members, and models that use only plays."""
    plays, tagged, friends = read(folder)
    tracks = plays.shape[1]
    weights: dict[str, float] = {}
    for seed in SEEDS:
        part = parts(plays.user, seed)
        started = time.perf_counter()
        attributes, fitted = fit(plays, tagged, friends, part)
        if not weights:
            weights = learn_weights(fitted, by_user(plays, part == 0), by_user(plays, part == 1))
            print(f"the blend was fitted and weighted in {time.perf_counter() - started:.0f} s")
        fitted |= {name: model.fit(plays.only(part == 0), 1, attributes) for name, model in ALONE.items()}
        heard, relevant = by_user(plays, part < 2), by_user(plays, part == 2)
        shares = " ".join(f"{name} {weight:.2f}" for name, weight in weights.items() if weight)
        blend = BlendFit({name: fitted[name] for name in MODELS}, weights, by_user(plays, part == 0))
        yield Row("blend", shares, full_ranking(blend, heard, relevant, tracks), seed)
        for name, fitted_model in fitted.items():
            yield Row(name, "", full_ranking(fitted_model, heard, relevant, tracks), seed)
