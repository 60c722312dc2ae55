"""Listeners of whom nothing is known: what is popular, in their country, and like what they pick."""

import numpy as np

from feature_repo.home import Home
from inference import RecommendationEngine
from inference.recommend.answer import Answer
from tests.inference.recommend.answers import newest_rows, track_ids


def test_a_stranger_gets_what_is_popular(engine: RecommendationEngine, in_world: Home) -> None:
    answer = engine.recommend("nobody", count=5)
    assert (answer.known, answer.strategy) == (False, "cold_start")
    assert "no taste is known" in str(answer.note)
    popularity = newest_rows(in_world, "track_popularity").sort("plays_28d", descending=True)
    assert set(track_ids(answer)[:2]) <= set(popularity["track_id"][:8])
    assert answer.items[0].reason == "number 1 of the last 28 days"


def test_a_country_alone_moves_what_a_stranger_gets(engine: RecommendationEngine) -> None:
    in_country = engine.recommend("nobody", count=30, country="JP")
    assert track_ids(in_country) != track_ids(engine.recommend("nobody", count=30))
    assert "played among listeners like you (JP)" in {item.reason for item in in_country.items}


def test_picks_move_what_a_stranger_gets(engine: RecommendationEngine) -> None:
    catalogue = engine.catalogue
    genre = catalogue.genres[0][0]
    by_genre = engine.recommend("nobody", count=10, pick_genres=[genre])
    without_picks = engine.recommend("nobody", count=10)

    def share(answer: Answer) -> float:
        return float(np.mean([genre in catalogue.genres[catalogue.place[track]] for track in track_ids(answer)]))

    assert share(by_genre) > share(without_picks)
    picked_tracks = [catalogue.track_ids[place] for place in catalogue.of_genres([genre])[:3]]
    by_tracks = engine.recommend("nobody", count=10, pick_tracks=picked_tracks)
    assert not set(track_ids(by_tracks)) & set(picked_tracks)
    assert any("which you picked" in item.reason for item in by_tracks.items)
    artist = next(artist for artist in catalogue.artist_ids if artist)
    assert track_ids(engine.recommend("nobody", count=10, pick_artists=[artist])) != track_ids(without_picks)
    assert len(track_ids(engine.recommend("nobody", count=10, pick_tracks=["never heard of"]))) == 10
