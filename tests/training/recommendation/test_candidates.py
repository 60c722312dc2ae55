"""Candidate queries: only unheard tracks, labels only from the future, sessions at their original moments."""

import numpy as np
import polars as pl
import pytest

from training.datasets import Interactions
from training.models.recommendation.candidates import (
    AHEAD,
    Query,
    Timelines,
    candidate_pool,
    queries_at_cutoff,
    queries_in_session,
    sample_negatives,
    spine,
    top_tracks,
)
from training.models.recommendation.ials import IALS
from training.models.recommendation.knowledge import Knowledge, content_vectors, follows, similar
from training.models.recommendation.popularity import Popularity

DAY, MINUTE = 86_400_000_000, 60_000_000
CUTOFF, END = 20 * DAY, 60 * DAY


@pytest.fixture(scope="module")
def plays() -> Interactions:
    """Forty listeners in sessions of five plays."""
    rng = np.random.default_rng(0)
    starts = rng.integers(60 * DAY, size=600)
    user = np.repeat(rng.integers(40, size=600), 5)
    time = (starts[:, None] + np.arange(5) * 4 * MINUTE).ravel()
    order = np.argsort(time, kind="stable")
    track = rng.integers(120, size=3_000)
    devices = np.array(["phone", "car"], object)[rng.integers(2, size=3_000)]
    ids = [[f"{kind}{n}" for n in range(count)] for kind, count in (("u", 40), ("t", 130), ("a", 130))]
    return Interactions(*ids, user[order], track[order], time[order], device=devices)


@pytest.fixture(scope="module")
def known(plays: Interactions) -> Knowledge:
    attributes = np.eye(130)[:, :9]
    from scipy import sparse

    rows = sparse.csr_array(attributes + np.eye(130)[:, 3:12])
    return Knowledge(
        CUTOFF,
        IALS(factors=4, iterations=2).fit(plays, CUTOFF),
        1,
        content_vectors(rows, plays.before(CUTOFF), 4),
        2,
        similar(plays, CUTOFF),
        follows(plays, CUTOFF),
        Popularity(days=28).fit(plays, CUTOFF).track,
        np.array([129, 128]),
        np.full(130, np.nan),
        np.arange(130) < 129,
        [["pop"]] * 130,
        np.full(130, True),
    )


def test_candidates_are_unheard_and_labels_are_the_future(plays: Interactions, known: Knowledge) -> None:
    queries = queries_at_cutoff(plays, known, END, most_users=15, rng=np.random.default_rng(0))
    assert 0 < len(queries) <= 15
    history, future = plays.before(CUTOFF).tracks_by_user(), plays.between(CUTOFF, END).tracks_by_user()
    for query in queries:
        assert set(query.seen) == set(history[query.user])
        assert not set(query.pool.places) & set(history[query.user])
        assert set(query.relevant) == set(future[query.user]) - set(history[query.user])
        assert known.recommendable[query.pool.places[query.pool.source != 5]].all()
    rows = spine(plays, queries, "default")
    assert rows.height == sum(len(query.pool) for query in queries)
    assert rows["event_timestamp"].dt.timestamp("us").unique().to_list() == [CUTOFF]
    for row in rows.iter_rows(named=True):
        assert row["label"] == (row["track"] in set(queries[row["query"]].relevant))


def test_a_session_is_asked_in_its_middle(plays: Interactions, known: Knowledge) -> None:
    queries = queries_in_session(plays, known, END, most_users=40, rng=np.random.default_rng(1))
    assert len(queries) > 20
    for query in queries:
        assert CUTOFF <= query.moment < END
        own_plays = np.flatnonzero(plays.user == query.user)
        before, after = own_plays[plays.time[own_plays] < query.moment], own_plays[plays.time[own_plays] > query.moment]
        newest = list(dict.fromkeys(plays.track[before][::-1].tolist()))
        assert query.seen.tolist() == newest
        assert plays.time[after[0]] - query.moment == 1_000_000
        assert plays.time[after[0]] - plays.time[before[-1]] < 3_600_000_000
        next_plays = after[plays.time[after] < END][:AHEAD]
        assert set(query.relevant) == set(plays.track[next_plays]) - set(newest)
        assert query.device == plays.device[after[0]]
        recent = before[plays.time[before] >= query.moment - DAY]
        follow_scores = known.follows.scores(plays.track[recent][::-1][:20], 0.85 ** np.arange(min(len(recent), 20)))
        scores = dict(zip(follow_scores[0].tolist(), follow_scores[1].tolist(), strict=True))
        expected = [scores.get(track, 0.0) for track in query.pool.places.tolist()]
        np.testing.assert_allclose(query.pool.follows, expected)
    rows = spine(plays, queries, "default", context=True)
    assert rows.filter(pl.col("device") == "car").height > 0
    assert rows["context"].null_count() == rows.height


def test_a_listener_who_heard_everything_has_no_candidates(known: Knowledge) -> None:
    assert len(candidate_pool(known, 0, np.arange(130))) == 0


def test_somebody_without_vectors_has_candidates(known: Knowledge) -> None:
    assert len(candidate_pool(known, None, np.empty(0, np.int64))) > 0


def test_fewer_negatives_keep_all_that_was_played(plays: Interactions, known: Knowledge) -> None:
    queries = queries_at_cutoff(plays, known, END, most_users=40, rng=np.random.default_rng(0))
    sampled = sample_negatives(queries, 5, np.random.default_rng(0))
    for before, after in zip(queries, sampled, strict=True):
        is_relevant = np.isin(before.pool.places, before.relevant)
        assert set(before.pool.places[is_relevant]) <= set(after.pool.places)
        assert len(after.pool) == min(len(before.pool), int(is_relevant.sum()) + 5)
        assert isinstance(after, Query)
        assert (np.diff(after.pool.places) > 0).all()


def test_the_best_are_in_order_and_allowed() -> None:
    best = top_tracks(np.array([3.0, 9, 5, 9, 1]), np.array([True, True, False, True, True]), 3)
    assert best.tolist() == [1, 3, 0]
    assert top_tracks(np.ones(3), np.zeros(3, bool), 2).tolist() == []


def test_a_timeline_ends_before_the_moment(plays: Interactions) -> None:
    timelines = Timelines(plays)
    own_plays = np.flatnonzero(plays.user == 7)
    assert timelines.plays_of(7).tolist() == own_plays.tolist()
    moment = int(plays.time[own_plays[3]])
    assert timelines.before(7, moment).tolist() == own_plays[plays.time[own_plays] < moment].tolist()
