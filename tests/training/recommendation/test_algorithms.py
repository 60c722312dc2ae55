"""Recommendation algorithms, checked against closed forms, planted structure and repeated runs."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from training.datasets import Interactions
from training.datasets.attributes import Attributes, around, tf_idf
from training.evaluate import rank_all
from training.models.recommendation import ease
from training.models.recommendation.blend import Blend, NdcgLoss, learn_weights, learn_weights_of, standardised
from training.models.recommendation.cold_start import ColdStart
from training.models.recommendation.content import Content
from training.models.recommendation.contract import Model
from training.models.recommendation.ease import EASE, DualFit
from training.models.recommendation.ials import IALS
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.weighting import Weighting

DAY = 86_400_000_000
CUTOFF = 45 * DAY
EVERYBODY = np.arange(40)


@pytest.fixture(scope="module")
def two_worlds() -> Interactions:
    """Two groups of listeners that play disjoint sets of tracks."""
    rng = np.random.default_rng(0)
    user = rng.integers(40, size=3_000)
    track = rng.integers(30, size=3_000) + 30 * (user % 2)
    time = np.sort(rng.integers(60 * DAY, size=3_000))
    time[np.abs(time - CUTOFF).argmin()] = CUTOFF  # one play exactly at the cutoff
    return Interactions([f"u{n}" for n in range(40)], [f"t{n}" for n in range(60)], ["a"] * 60, user, track, time)


@pytest.fixture(scope="module")
def attributes() -> Attributes:
    """Attributes: the group of each track, and one friend of each listener within the same group."""
    tracks = sparse.csr_array((np.ones(60), (np.arange(60), np.arange(60) // 30)), (60, 2))
    friends = sparse.csr_array((np.ones(40), (EVERYBODY, (EVERYBODY + 2) % 40)), (40, 40))
    return Attributes(friends, tracks)


PERSONAL: dict[str, Model] = {
    "ials": IALS(factors=8),
    "ials with attributes": IALS(factors=8, user_attributes=1.0, track_attributes=1.0),
    "ease": EASE(),
    "ease with attributes": EASE(user_attributes=1.0, track_attributes=1.0),
    "ease with attributes and sessions": EASE(user_attributes=1.0, track_attributes=1.0, session_pause_s=3_600.0),
    "item_knn": ItemKNN(neighbours=20),
    "rp3beta": RP3Beta(),
    "transitions": Transitions(),
    "content": Content(),
    "blend": Blend({"ease": EASE(), "content": Content()}, {"ease": 0.5, "content": 0.5}),
}


@pytest.mark.parametrize("model", PERSONAL.values(), ids=list(PERSONAL))
def test_the_planted_groups_are_found(two_worlds: Interactions, attributes: Attributes, model: Model) -> None:
    scores = model.fit(two_worlds, CUTOFF, attributes).scores(EVERYBODY)
    for user in range(40):
        assert (rank_all(scores[user], np.array([], int), 20) // 30 == user % 2).mean() > 0.9


@pytest.mark.parametrize(
    "model",
    [
        IALS(factors=4, iterations=2),
        IALS(factors=4, iterations=2, recency=0.9),
        EASE(history_weighting=Weighting(recency=0.9, pause_s=3_600.0), session_pause_s=3_600.0),
        ItemKNN(),
        RP3Beta(),
        Transitions(half_life_days=20),
        Content(),
        Popularity(days=10),
    ],
    ids=lambda model: type(model).__name__,
)
def test_nothing_at_or_after_the_cutoff_is_seen(two_worlds: Interactions, attributes: Attributes, model: Model) -> None:
    past = two_worlds.only(two_worlds.time < CUTOFF)
    actual, expected = (model.fit(plays, CUTOFF, attributes).scores(EVERYBODY) for plays in (two_worlds, past))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("model", PERSONAL.values(), ids=list(PERSONAL))
def test_some_users_are_asked_as_all_are(two_worlds: Interactions, attributes: Attributes, model: Model) -> None:
    fit = model.fit(two_worlds, CUTOFF, attributes)
    users = np.array([3, 17, 8])
    np.testing.assert_allclose(fit.scores(users), fit.scores(EVERYBODY)[users], atol=1e-6)


def test_als_solves_what_it_says(two_worlds: Interactions) -> None:
    """After the last half step, the gradient of the objective is zero at each user vector."""
    als = IALS(factors=6, half_life_days=None)
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
    first, second = (IALS(factors=4, iterations=3).fit(two_worlds, CUTOFF) for _ in range(2))
    np.testing.assert_array_equal(first.user, second.user)
    early = replace(two_worlds, track=np.where(two_worlds.time < 5 * DAY, 59, two_worlds.track))
    without_decay, with_decay = (IALS(factors=8, half_life_days=days).fit(early, CUTOFF) for days in (None, 3.0))
    assert (with_decay.user @ with_decay.track[59]).mean() < 0.5 * (without_decay.user @ without_decay.track[59]).mean()


def test_ease_is_its_closed_form(two_worlds: Interactions) -> None:
    seen = two_worlds.before(CUTOFF)
    played = np.zeros(two_worlds.shape)
    played[seen.user, seen.track] = 1
    weights = np.zeros((60, 60))
    for track in range(60):  # ridge regression of each track on all others
        others = np.delete(np.arange(60), track)
        gram = played[:, others].T @ played[:, others] + 50 * np.eye(59)
        weights[others, track] = np.linalg.solve(gram, played[:, others].T @ played[:, track])
    np.testing.assert_allclose(EASE(50).fit(two_worlds, CUTOFF).scores(EVERYBODY), played @ weights, atol=1e-5)


@pytest.mark.parametrize(("users", "tracks"), [(12, 30), (30, 12), (9, 9)])
def test_ease_is_the_same_from_both_sides(users: int, tracks: int) -> None:
    rng = np.random.default_rng(2)
    played = sparse.csr_array((rng.random((users, tracks)) < 0.3) * rng.random((users, tracks)))
    weights = ease.primal(sparse.csr_array(played.T @ played), 0, 7.0)
    fit = DualFit.of(played, 7.0, None, (users, tracks))
    np.testing.assert_allclose(fit.scores(np.arange(users)), played @ weights, atol=1e-5)
    np.testing.assert_allclose(fit.weights(np.arange(tracks)), weights, atol=1e-5)
    histories = sparse.csr_array(rng.random((4, tracks)))
    np.testing.assert_allclose(fit.score_histories(histories), histories @ weights, atol=1e-5)


def test_item_knn_is_its_definition(two_worlds: Interactions) -> None:
    """Compares with loops: the score of a track uses only its nearest neighbours."""
    seen = two_worlds.before(CUTOFF)
    played = np.zeros(two_worlds.shape)
    played[seen.user, seen.track] = 1
    cooccurrence = played.T @ played
    norms = np.sqrt(np.diag(cooccurrence))
    similarity = cooccurrence / (np.outer(norms, norms) + 10)
    np.fill_diagonal(similarity, 0)
    for row in similarity:
        row[row < np.sort(row)[-5]] = 0
    scores = ItemKNN(neighbours=5).fit(two_worlds, CUTOFF).scores(EVERYBODY)
    np.testing.assert_allclose(scores, played @ similarity.T, atol=1e-9)


def test_rp3beta_walks_three_steps(two_worlds: Interactions) -> None:
    """Compares with the random walk over dense matrices, without pruning."""
    seen = two_worlds.before(CUTOFF)
    played = np.zeros(two_worlds.shape)
    played[seen.user, seen.track] = 1
    to_track = played / np.maximum(played.sum(axis=1, keepdims=True), 1)
    to_user = played.T / np.maximum(played.sum(axis=0)[:, None], 1)
    item_weights = (to_user**0.8 @ to_track**0.8) / np.maximum(played.sum(axis=0), 1) ** 0.5
    np.fill_diagonal(item_weights, 0)
    scores = RP3Beta(alpha=0.8, beta=0.5, neighbours=1_000).fit(two_worlds, CUTOFF).scores(EVERYBODY)
    np.testing.assert_allclose(scores, to_track**0.8 @ item_weights, atol=1e-12)


def test_sessions_are_further_rows_of_ease(two_worlds: Interactions) -> None:
    """As if each session were one more listener; scores are of the listeners' own histories."""
    pause, past = DAY, two_worlds.before(CUTOFF)
    session_of: dict[int, int] = {}
    last: dict[int, int] = {}
    session, sessions = np.empty(len(past.time), int), 40
    for play, (user, time) in enumerate(zip(past.user.tolist(), past.time.tolist(), strict=True)):
        if user not in last or time - last[user] > pause:
            session_of[user], sessions = sessions, sessions + 1
        session[play], last[user] = session_of[user], time
    both = Interactions(
        [f"u{n}" for n in range(sessions)],
        past.track_ids,
        past.artist_ids,
        np.concatenate([past.user, session]),
        np.concatenate([past.track, past.track]),
        np.zeros(2 * len(past.time), int),
    )
    expected = EASE(50).fit(both, CUTOFF).scores(EVERYBODY)
    actual = EASE(50, session_pause_s=pause / 1e6).fit(two_worlds, CUTOFF).scores(EVERYBODY)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert np.abs(actual - EASE(50).fit(two_worlds, CUTOFF).scores(EVERYBODY)).max() > 0.01


def test_transitions_are_what_follows_within_reach() -> None:
    """Compares with loops: the last plays of a listener select the rows of the transition matrix."""
    rng = np.random.default_rng(3)
    size, tracks = 120, 8
    time = np.sort(rng.integers(20, size=size)) * 3 * DAY  # many plays share their moment
    user, track = rng.integers(5, size=size), rng.integers(tracks, size=size)
    ids = [[f"{kind}{n}" for n in range(count)] for kind, count in (("u", 5), ("t", tracks))]
    data = Interactions(ids[0], ids[1], ["a"] * tracks, user, track, time)
    model = Transitions(3, 0.5, 10.0, 4, recency=0.8, beta=0.4, backwards=0.3, exponent=0.7, pause_s=5 * DAY / 1e6)
    chain, tied = np.zeros((tracks, tracks)), np.zeros((tracks, tracks))
    plays_by_user = {
        listener: [play for play in range(size) if user[play] == listener and time[play] < CUTOFF]
        for listener in range(5)
    }
    for plays in plays_by_user.values():
        for position, earlier in enumerate(plays):
            for step, later in enumerate(plays[position + 1 : position + 4]):
                if track[earlier] != track[later]:
                    table = tied if time[earlier] == time[later] else chain
                    table[track[earlier], track[later]] += 0.5**step * 0.5 ** ((CUTOFF - time[later]) / DAY / 10)
    assert tied.any()
    chain = chain + 0.3 * chain.T + tied + tied.T
    out_weight, in_weight = np.maximum(chain.sum(axis=1), 1), np.maximum(chain.sum(axis=0), 1)
    chain = (chain / out_weight[:, None] / in_weight**0.4) ** 0.7
    expected = np.zeros((5, tracks))
    for listener, plays in plays_by_user.items():
        for age, play in enumerate(reversed(plays[-4:])):
            gap_days = (time[plays[-1]] - time[play]) / DAY
            expected[listener] += 0.8**age / (1 + gap_days / 5) * chain[track[play]]
    np.testing.assert_allclose(model.fit(data, CUTOFF).scores(np.arange(5)), expected, atol=1e-12)


def test_weights_fade_with_time_and_with_what_came_after() -> None:
    """Compares with a loop over all plays."""
    rng = np.random.default_rng(5)
    time = np.sort(rng.integers(20 * DAY, size=200))
    user, track = rng.integers(6, size=200), rng.integers(9, size=200)
    weight = rng.integers(1, 4, size=200).astype(float)
    data = Interactions([f"u{n}" for n in range(6)], [f"t{n}" for n in range(9)], ["a"] * 9, user, track, time, weight)
    weighting = Weighting(logarithm=True, half_life_days=5.0, recency=0.7, pause_s=2 * DAY / 1e6)
    weights = weighting.matrix(data, 20 * DAY).toarray()
    for listener in range(6):
        own_plays = [play for play in range(200) if user[play] == listener]
        newest = list(dict.fromkeys(int(track[play]) for play in reversed(own_plays)))
        for item in range(9):
            decayed_plays = sum(
                weight[play] * 0.5 ** ((20 * DAY - time[play]) / DAY / 5) for play in own_plays if track[play] == item
            )
            rank = newest.index(item) if item in newest else 0
            gap = time[own_plays[-1]] - max((time[play] for play in own_plays if track[play] == item), default=0)
            expected = np.log2(1 + decayed_plays) * 0.7**rank / (1 + gap / (2 * DAY))
            assert weights[listener, item] == pytest.approx(expected)


def test_what_describes_is_users_and_tracks_more(attributes: Attributes) -> None:
    played = sparse.csr_array(np.ones((40, 60)))
    extended = around(played, attributes, 2.0, 3.0).toarray()
    assert extended.shape == (42, 100)
    np.testing.assert_array_equal(extended[:40, 60:], 2 * attributes.users.toarray())
    np.testing.assert_array_equal(extended[40:, :60], 3 * attributes.tracks.toarray().T)
    assert not extended[40:, 60:].any()
    assert around(played, attributes, 0, 0).shape == (40, 60)
    assert around(played, None, 1, 1) is played


def test_tf_idf_is_its_definition() -> None:
    counts = np.array([[1.0, 0, 4], [2, 1, 0], [0, 0, 0]])
    rows = np.log1p(counts) * np.log(3 / np.maximum((counts > 0).sum(axis=0), 1))
    rows[:2] /= np.linalg.norm(rows[:2], axis=1, keepdims=True)
    np.testing.assert_allclose(tf_idf(sparse.csr_array(counts)).toarray(), rows)


def test_content_scores_are_cosines_with_what_was_played(two_worlds: Interactions) -> None:
    rng = np.random.default_rng(4)
    attributes = Attributes(sparse.csr_array((40, 0)), sparse.csr_array((rng.random((60, 7)) < 0.4).astype(float)))
    track_vectors = tf_idf(attributes.tracks).toarray()
    weights = Weighting(logarithm=True).matrix(two_worlds.before(CUTOFF), CUTOFF).toarray()
    profile = weights @ track_vectors
    cosine = profile @ track_vectors.T / np.linalg.norm(profile, axis=1, keepdims=True)
    count_bonus = 0.5 * np.log1p(attributes.tracks.sum(axis=1))
    scores = Content(attribute_count_weight=0.5).fit(two_worlds, CUTOFF, attributes).scores(EVERYBODY)
    np.testing.assert_allclose(scores, cosine + count_bonus, atol=1e-12)


def test_a_cold_track_lies_where_its_like_do() -> None:
    """Vectors that depend linearly on attributes are recovered for held-out tracks."""
    rng = np.random.default_rng(6)
    counts = sparse.csr_array((rng.random((300, 20)) < 0.3).astype(float))
    attribute_vectors, attribute_counts = tf_idf(counts), np.asarray(counts.sum(axis=1)).ravel()
    truth = attribute_vectors @ rng.normal(size=(20, 4))
    listeners = np.where(np.arange(300) < 250, 10.0, 0.0)
    vectors = np.where(listeners[:, None] > 0, truth, 0)
    mapping = ColdStart(regularization=0.01).fit(attribute_vectors, attribute_counts, vectors, listeners)
    cold_vectors = mapping.vectors(attribute_vectors[250:], attribute_counts[250:])
    assert np.abs(cold_vectors - truth[250:]).max() < 0.05
    assert ColdStart(min_tracks=1_000).fit(attribute_vectors, attribute_counts, vectors, listeners).used.size == 0


def test_the_weights_of_a_blend_find_who_knows() -> None:
    """One member scores by the truth, one by its opposite, one by noise."""
    rng = np.random.default_rng(7)
    truth = rng.random((50, 80)) < 0.1
    heard = {user: np.array([0, 1]) for user in range(50)}
    relevant = {user: np.setdiff1d(np.flatnonzero(truth[user]), heard[user]) for user in range(50)}
    relevant = {user: tracks for user, tracks in relevant.items() if len(tracks)}

    class Table:
        def __init__(self, values: np.ndarray) -> None:
            self.values = values

        def scores(self, users: np.ndarray) -> np.ndarray:
            return self.values[users]

    noise = rng.normal(size=(50, 80))
    weights = learn_weights(
        {"knows": Table(truth + 0.6 * noise), "noise": Table(rng.normal(size=(50, 80))), "wrong": Table(-1.0 * truth)},
        heard,
        relevant,
    )
    assert weights["knows"] > 0.8
    opposite = {"knows": Table(-1.0 * truth), "noise": Table(truth + 0.6 * noise), "wrong": Table(-1.0 * truth)}
    both = learn_weights_of([(opposite, heard, relevant), (opposite, heard, relevant)])
    assert both["noise"] > 0.8
    assert sum(weights.values()) == pytest.approx(1)
    group = np.array([0, 0, 0, 1, 1])
    loss = NdcgLoss.of(group, np.array([1, 2]))
    assert loss(np.array([0, 1.0, 0, 1, 1]), np.array([0, 1.0, 0, 0.1, 0.2])) == pytest.approx(0)
    assert loss(np.array([1.0, 0, 0, 1, 1]), np.array([0, 2.0, 1, 0.1, 0.2])) == pytest.approx((1 - 0.5) / 2)


def test_scores_are_standardised_over_what_was_not_heard() -> None:
    scores = np.array([[9.0, 1, 3, 5], [2, 2, 2, 2]])
    standard = standardised(scores, np.array([4, 7]), {4: np.array([0])})
    assert standard[0, 1:].mean() == pytest.approx(0)
    assert standard[0, 1:].std() == pytest.approx(1)
    assert standard[0, 0] == pytest.approx((9 - 3) / np.std([1, 3, 5]))
    assert (standard[1] == 0).all()
