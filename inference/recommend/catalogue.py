"""What a bundle knows of tracks: who they are, which are near, what goes with what, what is popular and what is new."""

import io
import json
from collections.abc import Iterable, Sequence

import numpy as np

from feature_repo.bundle import Bundle
from transforms.pure.candidates.cold import SegmentPopularity
from transforms.pure.candidates.neighbours import Neighbours


class Catalogue:
    """Read once, then only looked at. Tracks are numbered by their place.

    Attributes:
        track_ids: by place.
        artist_ids: by place; None for unknown.
        artists: (tracks,) number of each track's artist, -1 for unknown.
        genres: by place.
        place: track identifier → place.
        popular: places, most played first.
        fresh: places of tracks that came out lately, newest first.
        fresh_vectors: (fresh, d) of collaborative filtering.
        similar: what is played by the same people.
        follows: what is played after what.
        segments: what is popular among whom.
        liked: (tracks,) plays to the end.
        disliked: (tracks,) plays broken off.
    """

    def __init__(self, bundle: Bundle) -> None:
        import voyager

        told = json.loads(bundle.read("catalogue.json"))
        self.track_ids: list[str] = told["track_ids"]
        self.artist_ids: list[str | None] = told["artist_ids"]
        self.genres: list[list[str]] = told["genres"]
        self.place: dict[str, int] = {track: place for place, track in enumerate(self.track_ids)}
        numbers: dict[str, int] = {}
        self.artists = np.array(
            [-1 if artist is None else numbers.setdefault(artist, len(numbers)) for artist in self.artist_ids], np.int64
        )
        self.popular = np.array(told["popular"], np.int64)
        self.fresh = np.array(told["fresh"], np.int64)
        self.similar = Neighbours.from_bytes(bundle.read("similar.npz"))
        self.follows = Neighbours.from_bytes(bundle.read("follows.npz"))
        self.segments = SegmentPopularity.from_bytes(bundle.read("segments.npz"))
        with np.load(io.BytesIO(bundle.read("outcomes.npz")), allow_pickle=False) as outcomes:
            self.liked, self.disliked = outcomes["liked"], outcomes["skipped"]
        self._taste = voyager.Index.load(io.BytesIO(bundle.read("taste.voy")))
        self._content = voyager.Index.load(io.BytesIO(bundle.read("content.voy")))
        self.fresh_vectors = self.vectors("taste", self.fresh)
        self._rank = {place: rank for rank, place in enumerate(self.popular.tolist(), start=1)}
        self._of_artist: dict[str, list[int]] = {}
        for place, artist in enumerate(self.artist_ids):
            if artist is not None:
                self._of_artist.setdefault(artist, []).append(place)
        self._of_genre: dict[str, list[int]] = {}
        for place, genres in enumerate(self.genres):
            for genre in genres:
                self._of_genre.setdefault(genre, []).append(place)

    def __len__(self) -> int:
        return len(self.track_ids)

    def places(self, tracks: Iterable[str]) -> np.ndarray:
        """Places of the tracks that are known, in their order."""
        return np.array([self.place[track] for track in tracks if track in self.place], np.int64)

    def of_artists(self, artists: Iterable[str]) -> np.ndarray:
        """Places of all tracks by some artists."""
        found = [place for artist in artists for place in self._of_artist.get(artist, ())]
        return np.array(found, np.int64)

    def of_genres(self, genres: Iterable[str]) -> np.ndarray:
        """Places of all tracks of some genres."""
        found = {place for genre in genres for place in self._of_genre.get(genre, ())}
        return np.array(sorted(found), np.int64)

    def near(self, kind: str, vector: np.ndarray, count: int) -> np.ndarray:
        """The tracks whose vectors have the largest products with it, best first.

        Args:
            kind: ``taste`` or ``content``.
            vector: (d,) float32.
            count: how many.
        """
        index = self._taste if kind == "taste" else self._content
        wanted = min(count, len(self.track_ids))
        if not wanted or len(vector) != index.num_dimensions:
            return np.empty(0, np.int64)
        found, _ = index.query(np.asarray(vector, np.float32), k=wanted, query_ef=max(wanted, 100))
        return np.asarray(found, np.int64)

    def vectors(self, kind: str, places: np.ndarray | Sequence[int]) -> np.ndarray:
        """(n, d) float32 vectors of some tracks."""
        index = self._taste if kind == "taste" else self._content
        if not len(places):
            return np.empty((0, index.num_dimensions), np.float32)
        return np.asarray(index.get_vectors(np.asarray(places).tolist()), np.float32)

    def popular_rank(self, place: int) -> int | None:
        """Place among the most played of the bundle's last four weeks, from 1; None if nobody played it."""
        return self._rank.get(place)
