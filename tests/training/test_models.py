"""The algorithms: against closed forms, planted structure and themselves."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from inference.models import OnnxModel
from training.datasets import Interactions
from training.evaluate import rank_all
from training.models.lightgbm_onnx import to_onnx
from training.models.recommendation import ease, item_knn, popularity, rp3beta
from training.models.recommendation.als import ALS
from training.models.recommendation.candidates import candidates, queries, spine
from training.models.recommendation.ranker import INPUTS, Groups, Ranker, matrix
from training.models.recommendation.transitions import Transitions

DAY = 86_400_000_000
CUTOFF = 45 * DAY


@pytest.fixture(scope="module")
def two_worlds() -> Interactions:
    """Two groups of listeners with tracks of their own: what one of them lacks, their group has."""
    rng = np.random.default_rng(0)
    user = rng.integers(40, size=3_000)
    track = rng.integers(30, size=3_000) + 30 * (user % 2)
    time = np.sort(rng.integers(60 * DAY, size=3_000))
    time[np.abs(time - CUTOFF).argmin()] = CUTOFF  # somebody plays at that very moment
    return Interactions([f"u{n}" for n in range(40)], [f"t{n}" for n in range(60)], ["a"] * 60, user, track, time)


@pytest.mark.parametrize(
    "scores",
    [
        lambda data: (vectors := ALS(factors=8).fit(data, CUTOFF)).user @ vectors.track.T,
        lambda data: ease.fit(data, CUTOFF),
        lambda data: item_knn.fit(data, CUTOFF, neighbours=20),
        lambda data: rp3beta.fit(data, CUTOFF),
        lambda data: Transitions().fit(data, CUTOFF),
    ],
    ids=["als", "ease", "item_knn", "rp3beta", "transitions"],
)
def test_the_planted_groups_are_found(two_worlds: Interactions, scores: object) -> None:
    found = scores(two_worlds)  # type: ignore[operator]
    for user in range(40):
        assert (rank_all(found[user], np.array([], int), 20) // 30 == user % 2).mean() > 0.9


@pytest.mark.parametrize(
    "model",
    [
        lambda data: ALS(factors=4, iterations=2).fit(data, CUTOFF).track,
        lambda data: ease.fit(data, CUTOFF),
        lambda data: item_knn.fit(data, CUTOFF),
        lambda data: rp3beta.fit(data, CUTOFF),
        lambda data: Transitions(half_life_days=20).fit(data, CUTOFF),
        lambda data: popularity.fit(data, CUTOFF, days=10),
    ],
    ids=["als", "ease", "item_knn", "rp3beta", "transitions", "popularity"],
)
def test_nothing_at_or_after_the_cutoff_is_seen(two_worlds: Interactions, model: object) -> None:
    keep = two_worlds.time < CUTOFF
    past = replace(two_worlds, user=two_worlds.user[keep], track=two_worlds.track[keep], time=two_worlds.time[keep])
    np.testing.assert_array_equal(model(two_worlds), model(past))  # type: ignore[operator]


def test_als_solves_what_it_says(two_worlds: Interactions) -> None:
    """After the last half step each user vector is where the gradient of the objective is zero."""
    als = ALS(factors=6, half_life_days=None)
    vectors = als.fit(two_worlds, CUTOFF)
    seen = two_worlds.before(CUTOFF)
    counts = np.zeros(two_worlds.shape)
    np.add.at(counts, (seen.user, seen.track), 1)
    weight = np.log2(1 + counts)
    y, x = vectors.track.astype(float), vectors.user.astype(float)
    for user in range(5):
        ridge = als.regularization * (weight[user].sum() + als.unobserved * len(y))
        error = weight[user] * (1 - y @ x[user])
        gradient = -y.T @ error + als.unobserved * y.T @ (y @ x[user]) + ridge * x[user]
        np.testing.assert_allclose(gradient, 0, atol=1e-4)


def test_als_repeats_itself_and_forgets_with_time(two_worlds: Interactions) -> None:
    one, other = (ALS(factors=4, iterations=3).fit(two_worlds, CUTOFF) for _ in range(2))
    np.testing.assert_array_equal(one.user, other.user)
    early = replace(two_worlds, track=np.where(two_worlds.time < 5 * DAY, 59, two_worlds.track))
    loud, faded = (ALS(factors=8, half_life_days=days).fit(early, CUTOFF) for days in (None, 3.0))
    assert (faded.user @ faded.track[59]).mean() < 0.5 * (loud.user @ loud.track[59]).mean()


def test_ease_is_its_closed_form(two_worlds: Interactions) -> None:
    seen = two_worlds.before(CUTOFF)
    played = np.zeros(two_worlds.shape)
    played[seen.user, seen.track] = 1
    weights = np.zeros((60, 60))
    for track in range(60):  # ridge regression of each track on all others
        others = np.delete(np.arange(60), track)
        gram = played[:, others].T @ played[:, others] + 50 * np.eye(59)
        weights[others, track] = np.linalg.solve(gram, played[:, others].T @ played[:, track])
    np.testing.assert_allclose(ease.fit(two_worlds, CUTOFF, regularization=50), played @ weights, atol=1e-9)


@pytest.mark.parametrize(("users", "tracks"), [(12, 30), (30, 12), (9, 9)])
def test_ease_is_the_same_from_both_sides(users: int, tracks: int) -> None:
    rng = np.random.default_rng(2)
    played = sparse.csr_matrix((rng.random((users, tracks)) < 0.3).astype(float))
    np.testing.assert_allclose(ease.dual(played, 7.0), ease.primal(played, 7.0), atol=1e-9)


def test_rp3beta_walks_three_steps(two_worlds: Interactions) -> None:
    """Against the walk in dense matrices, nothing cut off."""
    seen = two_worlds.before(CUTOFF)
    played = np.zeros(two_worlds.shape)
    played[seen.user, seen.track] = 1
    to_track = played / np.maximum(played.sum(axis=1, keepdims=True), 1)
    to_user = played.T / np.maximum(played.sum(axis=0)[:, None], 1)
    reached = (to_user**0.8 @ to_track**0.8) / np.maximum(played.sum(axis=0), 1) ** 0.5
    np.fill_diagonal(reached, 0)
    found = rp3beta.fit(two_worlds, CUTOFF, alpha=0.8, beta=0.5, neighbours=1_000)
    np.testing.assert_allclose(found, to_track**0.8 @ reached, atol=1e-12)


def test_transitions_are_what_follows_within_reach() -> None:
    """Against loops: the last plays ask, what followed them before answers."""
    rng = np.random.default_rng(3)
    size, tracks = 120, 8
    time = np.sort(rng.integers(60 * DAY, size=size))
    user, track = rng.integers(5, size=size), rng.integers(tracks, size=size)
    ids = [[f"{kind}{n}" for n in range(count)] for kind, count in (("u", 5), ("t", tracks))]
    data = Interactions(ids[0], ids[1], ["a"] * tracks, user, track, time)
    model = Transitions(reach=3, fading=0.5, half_life_days=10.0, asked=4, recency=0.8, beta=0.4)
    chain = np.zeros((tracks, tracks))
    told = {who: [place for place in range(size) if user[place] == who and time[place] < CUTOFF] for who in range(5)}
    for places in told.values():
        for start, first in enumerate(places):
            for step, second in enumerate(places[start + 1 : start + 4]):
                if track[first] != track[second]:
                    chain[track[first], track[second]] += 0.5**step * 0.5 ** ((CUTOFF - time[second]) / DAY / 10)
    leaving, arriving = np.maximum(chain.sum(axis=1), 1), np.maximum(chain.sum(axis=0), 1)
    chain = chain / leaving[:, None] / arriving**0.4
    expected = np.zeros((5, tracks))
    for who, places in told.items():
        for back, place in enumerate(reversed(places[-4:])):
            expected[who] += 0.8**back * chain[track[place]]
    np.testing.assert_allclose(model.fit(data, CUTOFF), expected, atol=1e-12)


def test_candidates_are_unheard_and_labels_are_the_future(two_worlds: Interactions) -> None:
    early = two_worlds.between(0, 20 * DAY)
    later = two_worlds.between(20 * DAY, 60 * DAY)
    vectors = ALS(factors=4, iterations=2).fit(two_worlds, 20 * DAY)
    asked = queries(two_worlds, vectors, 60 * DAY, most_users=15, rng=np.random.default_rng(0))
    assert 0 < len(asked) <= 15
    history, future = early.tracks_by_user(), later.tracks_by_user()
    for query in asked:
        assert not set(query.candidates) & set(history[query.user])
        assert set(query.relevant) == set(future[query.user]) - set(history[query.user])
    rows = spine(two_worlds, vectors, asked, "default")
    assert rows.height == sum(len(query.candidates) for query in asked)
    by_user = {query.user: set(query.relevant) for query in asked}
    for row in rows.iter_rows(named=True):
        assert row["label"] == (row["track"] in by_user[row["query"]])


def test_a_listener_who_heard_everything_has_no_candidates(two_worlds: Interactions) -> None:
    vectors = ALS(factors=4, iterations=1).fit(two_worlds, CUTOFF)
    assert len(candidates(vectors, np.ones(60), 0, np.arange(60))) == 0


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    size = 60 * 50
    columns = {name: rng.random(size) for name in INPUTS}
    label = rng.random(size) < 0.02 + 0.3 * columns["taste_match__score"] ** 4
    frame = pl.DataFrame(columns).with_columns(query=pl.Series(np.repeat(np.arange(60), 50)), label=pl.Series(label))
    gaps = pl.when(pl.Series(rng.random(size) < 0.1)).then(None).otherwise(pl.col("affinity_share__share_7d"))
    return frame.with_columns(affinity_share__share_7d=gaps, event_timestamp=pl.lit(0))


def test_the_ranker_learns_and_is_monotone(rows: pl.DataFrame) -> None:
    groups = Groups.of(rows)
    assert groups.sizes.tolist() == [50] * 60
    booster = Ranker(most_trees=60).fit([groups], groups)
    probe = np.full((50, len(INPUTS)), 0.5, np.float32)
    probe[:, list(INPUTS).index("taste_match__score")] = np.linspace(0, 1, 50)
    scores = booster.predict(probe)
    assert (np.diff(scores) >= 0).all()
    assert scores[-1] > scores[0]
    probe = np.full((50, len(INPUTS)), 0.5, np.float32)
    probe[:, list(INPUTS).index("track_popularity__skip_rate_28d")] = np.linspace(0, 1, 50)
    assert (np.diff(booster.predict(probe)) <= 0).all()


def test_onnx_is_the_trained_model(rows: pl.DataFrame) -> None:
    groups = Groups.of(rows)
    booster = Ranker(most_trees=80).fit([groups], groups)
    inputs = matrix(rows)
    inputs[::7, 3] = np.nan
    np.testing.assert_allclose(OnnxModel(to_onnx(booster)).predict(inputs), booster.predict(inputs), atol=1e-5)


def test_a_missing_input_is_named(rows: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="track_age__days"):
        matrix(rows.drop("track_age__days"))
