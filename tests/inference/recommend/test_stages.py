"""Unit tests of diversification, exploration and reasons."""

from dataclasses import replace

import numpy as np
import pytest

from inference.recommend.diversify import calibrated, genre_shares, limit_per_artist, mmr
from inference.recommend.explore import explore
from inference.recommend.reasons import Facts, reason, strongest_neighbours
from transforms.pure.candidates.neighbours import largest


def test_an_artist_has_no_more_than_its_share_while_others_last() -> None:
    artists = np.array([1, 1, 1, 2, -1, -1, -1])
    assert limit_per_artist(np.arange(7), artists, 5, 2).tolist() == [0, 1, 3, 4, 5]
    assert limit_per_artist(np.arange(4), artists, 4, 1).tolist() == [0, 3, 1, 2]  # no other artists are left
    assert limit_per_artist(np.array([], int), artists, 3, 1).tolist() == []


def test_mmr_is_its_definition() -> None:
    """MMR gives the order of a plain loop over its definition."""
    rng = np.random.default_rng(0)
    scores, vectors = rng.random(12), rng.normal(size=(12, 3))
    order = np.argsort(-scores)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = (scores - scores.min()) / (scores.max() - scores.min())
    chosen: list[int] = []
    while len(chosen) < 5:
        remaining = [row for row in order.tolist() if row not in chosen]
        value = {
            row: 0.6 * relevance[row] - 0.4 * max((unit[row] @ unit[other] for other in chosen), default=0.0)
            for row in remaining
        }
        chosen.append(max(remaining, key=lambda row: value[row]))
    diversified = mmr(order, scores, vectors[order], 5, 0.4)
    assert diversified.tolist()[:5] == chosen
    assert sorted(diversified.tolist()) == list(range(12))
    assert mmr(order, scores, vectors[order], 5, 0.0).tolist() == order.tolist()


def test_a_calibrated_list_has_the_genres_that_are_played() -> None:
    scores = np.linspace(1, 0.9, 40)
    genres = [["pop"]] * 20 + [["jazz"]] * 20
    rows = calibrated(np.arange(40), scores, genres, {"pop": 0.7, "jazz": 0.3}, 10, 0.99)[:10]
    assert sum(row >= 20 for row in rows.tolist()) == 3
    assert calibrated(np.arange(40), scores, genres, {}, 10, 0.9).tolist() == list(range(40))
    assert calibrated(np.arange(40), scores, genres, {"pop": 0.7, "jazz": 0.3}, 10, 0.0)[:10].tolist() == list(
        range(10)
    )


def test_genres_are_votes() -> None:
    assert genre_shares([["pop"], ["pop", "jazz"], []]) == {"jazz": 0.25, "pop": 0.75}
    assert genre_shares([]) == {}


def test_slots_explore_as_often_as_asked_and_never_twice_the_same() -> None:
    rng = np.random.default_rng(0)
    ranked, others = np.arange(10), np.arange(10, 40)
    liked, disliked = np.full(40, 2.0), np.full(40, 1.0)
    liked[30:] = 500  # many likes: exploration does not draw them
    draws = [explore(ranked, others, liked, disliked, 0.3, rng) for _ in range(100)]
    assert np.mean([slots.explored.mean() for slots in draws]) == pytest.approx(0.3, abs=0.05)
    for slots in draws:
        assert len(set(slots.rows.tolist())) == 10
        assert (slots.rows[~slots.explored] == ranked[~slots.explored]).all()
        assert ((slots.rows[slots.explored] >= 10) & (slots.rows[slots.explored] < 30)).all()
        assert (slots.propensity[~slots.explored] == 0.7).all()
        assert (slots.propensity[slots.explored] < 0.3).all()
    without_candidates = explore(ranked, others[:0], liked, disliked, 0.9, rng)
    assert not without_candidates.explored.any()
    assert (without_candidates.propensity == 1).all()


def test_reasons_say_the_strongest_ground_that_holds() -> None:
    facts = Facts("follows", artist_name="A", artist_plays=3, follows="F", similar="S", similar_listeners=2)
    few_of_many = {"explored": True, "listeners": 2, "all_listeners": 9}
    assert reason(facts) == "you played A 3 times in the last 28 days"
    assert reason(replace(facts, **few_of_many)) == "new to most: be among the first to hear it"
    assert reason(replace(facts, artist_plays=1)) == "has followed F, which you played in the last day"
    taste = Facts("taste", similar="S", similar_listeners=1, taste_match=0.1, listeners=1)
    assert reason(taste) == "another listener played both it and S, which you played"
    assert reason(replace(taste, similar_listeners=3, picked=True)) == (
        "3 other listeners played both it and S, which you picked"
    )
    assert reason(replace(taste, similar_listeners=0)) == "near your taste: another listener played it"
    assert reason(Facts("content", content_match=0.2)) == "described like what you play"
    assert reason(Facts("fresh", released_days=28.0)) == "it came out in the last four weeks"
    assert reason(Facts("popular", among="SE", popular_rank=2)) == "played among listeners like you (SE)"
    assert reason(Facts("popular", popular_rank=4)) == "number 4 of the last 28 days"
    assert reason(Facts("popular", popular_rank=4, popular_until="2026-03-01")) == (
        "number 4 of the 28 days before 2026-03-01"
    )
    assert reason(Facts("popular", unheard=True)) == "you have not heard it yet"


@pytest.mark.parametrize(
    "facts",
    [
        Facts("taste", taste_match=0.9, listeners=0),
        Facts("taste", taste_match=-0.1, listeners=5),
        Facts("similar", similar="S", similar_listeners=0),
        Facts("content", content_match=0.0),
        Facts("fresh", released_days=28.1),
        Facts("fresh"),
        Facts("popular", explored=True, listeners=5, all_listeners=10),
        Facts("popular", explored=True),
        Facts("popular", artist_name="A", artist_plays=None),
    ],
)
def test_nothing_is_said_that_is_not_known(facts: Facts) -> None:
    assert reason(facts) == "nothing more is known of it"


def test_the_strongest_ground_is_the_largest_weight() -> None:
    table = np.zeros((5, 5))
    table[0, 3], table[1, 3], table[2, 4] = 0.2, 0.9, 0.5
    neighbours = largest([table], 2)
    assert strongest_neighbours(neighbours, np.array([0, 1, 2]), np.array([3, 4, 0])) == [1, 2, None]
    assert strongest_neighbours(neighbours, np.empty(0, int), np.array([3])) == [None]
