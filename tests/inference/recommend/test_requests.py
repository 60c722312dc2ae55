"""What a request may ask for: counts, filters, diversity and exploration; no track that is barred."""

from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference import RecommendationEngine
from inference.recommend.answer import Answer
from tests.inference.recommend.answers import heard_tracks, newest_rows, track_ids


def test_what_is_excluded_stays_out_and_the_list_stays_full(engine: RecommendationEngine) -> None:
    first = engine.recommend("u000007", count=10)
    tracks = track_ids(first)[:5]
    artists = {str(item.artist_id) for item in first.items[5:]}
    answer = engine.recommend("u000007", count=10, exclude_tracks=tracks, exclude_artists=artists)
    assert len(answer.items) == 10
    assert not set(track_ids(answer)) & set(tracks)
    assert not {item.artist_id for item in answer.items} & artists


def test_rights_are_kept(engine: RecommendationEngine, in_world: Home) -> None:
    rows = newest_rows(in_world, "track_catalogue")
    for country in ("JP", "SE", "nowhere"):
        barred_tracks = rows.filter(
            ~pl.col("available")
            | (pl.col("regions").is_not_null() & ~pl.col("regions").list.contains(country).fill_null(False))
        )
        assert barred_tracks.height > 3
        for user in ("u000007", "nobody"):
            answer = engine.recommend(user, count=500, country=country)
            assert not set(track_ids(answer)) & set(barred_tracks["track_id"])
    without_explicit = engine.recommend("u000007", count=500, explicit=False)
    assert not set(track_ids(without_explicit)) & set(rows.filter("explicit")["track_id"])
    assert len(without_explicit.items) > 100


@pytest.mark.parametrize("count", [0, -1, 1_001, 10_000])
def test_a_count_that_is_none_is_told(engine: RecommendationEngine, count: int) -> None:
    with pytest.raises(InputError, match=r"1 to 1,000 tracks; found .* next: recommend"):
        engine.recommend("u000007", count=count)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"diversity": 1.5}, "diversity from 0 to 1"),
        ({"explore": float("nan")}, "explore from 0 to 1"),
        ({"diversify": "magic"}, "diversify as 'mmr', 'calibrated' or None"),
        ({"most_by_artist": 0}, "most_by_artist of 1 or more"),
    ],
)
def test_a_wish_that_is_none_is_told(engine: RecommendationEngine, wish: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        engine.recommend("u000007", **wish)


def test_a_listener_who_has_heard_everything_is_told(engine: RecommendationEngine) -> None:
    all_tracks = engine.catalogue.track_ids
    for user in ("u000007", "nobody"):
        answer = engine.recommend(user, exclude_tracks=all_tracks)
        assert answer.items == []
        assert "every track was heard, excluded or may not be played" in str(answer.note)


def test_filters_that_contradict_each_other_leave_nothing(engine: RecommendationEngine) -> None:
    artists = {artist for artist in engine.catalogue.artist_ids if artist}
    answer = engine.recommend("nobody", pick_artists=artists, exclude_artists=artists)
    assert (answer.items, "nothing is left" in str(answer.note)) == ([], True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.sampled_from(["u000007", "u000050", "nobody", "\x00", "🎵"]),
    count=st.integers(1, 60),
    wishes=st.fixed_dictionaries(
        {},
        optional={
            "explicit": st.booleans(),
            "country": st.sampled_from(["SE", "JP", ""]),
            "pick_genres": st.lists(st.sampled_from(["pop", "jazz", "noise"]), max_size=3),
            "pick_tracks": st.lists(st.sampled_from(["t000001", "t000099", "?"]), max_size=3),
            "exclude_tracks": st.lists(st.sampled_from(["t000001", "t000002"]), max_size=2),
            "most_by_artist": st.integers(1, 5),
            "diversify": st.sampled_from(["mmr", "calibrated", None]),
            "diversity": st.floats(0, 1),
            "explore": st.floats(0, 1),
        },
    ),
)
def test_any_wish_is_answered(engine: RecommendationEngine, user: str, count: int, wishes: dict[str, Any]) -> None:
    answer = engine.recommend(user, count=count, **wishes)
    assert len(answer.items) == len(set(track_ids(answer))) == count
    assert not set(track_ids(answer)) & set(wishes.get("exclude_tracks", ()))
    assert all(0 < item.propensity <= 1 for item in answer.items)


def test_lists_can_be_made_less_alike(engine: RecommendationEngine) -> None:
    catalogue = engine.catalogue

    def similarity(answer: Answer) -> float:
        vectors = catalogue.vectors("content", catalogue.places(track_ids(answer)))
        return float((vectors @ vectors.T).sum())

    plain = engine.recommend("u000007", count=10, most_by_artist=10)
    diverse = engine.recommend("u000007", count=10, most_by_artist=10, diversify="mmr", diversity=0.8)
    assert similarity(diverse) < similarity(plain)
    stranger = engine.recommend("nobody", count=10)
    assert track_ids(engine.recommend("nobody", count=10, diversify="mmr", diversity=0.0)) == track_ids(stranger)
    one_each = engine.recommend("u000007", count=10, most_by_artist=1)
    assert len({item.artist_id for item in one_each.items}) == 10


def test_genres_can_be_as_the_listener_plays_them(engine: RecommendationEngine, in_world: Home) -> None:
    from inference.recommend.diversify import genre_shares

    catalogue = engine.catalogue
    listener_shares = genre_shares(
        [catalogue.genres[place] for place in catalogue.places(heard_tracks(in_world, "u000007"))]
    )

    def distance(answer: Answer) -> float:
        answer_shares = genre_shares([catalogue.genres[catalogue.place[track]] for track in track_ids(answer)])
        return sum(
            abs(listener_shares.get(genre, 0) - answer_shares.get(genre, 0))
            for genre in {*listener_shares, *answer_shares}
        )

    plain = engine.recommend("u000007", count=20, most_by_artist=20)
    calibrated = engine.recommend("u000007", count=20, most_by_artist=20, diversify="calibrated", diversity=0.95)
    assert distance(calibrated) < distance(plain)


def test_exploration_is_marked_and_its_chance_told(engine: RecommendationEngine) -> None:
    plain = engine.recommend("u000007", count=20)
    with_exploration = engine.recommend("u000007", count=20, explore=0.4, seed=5)
    explored_items = [item for item in with_exploration.items if item.explored]
    assert 2 <= len(explored_items) <= 16
    assert all(item.propensity < 0.4 for item in explored_items)
    assert all(item.propensity == pytest.approx(0.6) for item in with_exploration.items if not item.explored)
    assert not {item.track_id for item in explored_items} & set(track_ids(plain))
    assert track_ids(engine.recommend("u000007", count=20, explore=0.4, seed=5)) == track_ids(with_exploration)
