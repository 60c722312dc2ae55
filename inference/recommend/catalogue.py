"""The tracks of a bundle: identifiers, vectors, tracks played together, popularity and new releases."""

import io
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import repeat

import numpy as np

from feature_repo.bundle import Bundle
from inference.features.known_keys import KnownKeys
from transforms.pure import npz
from transforms.pure.candidates.cold import SegmentPopularity
from transforms.pure.candidates.exposure import is_long_tail
from transforms.pure.candidates.neighbours import Neighbours


class Catalogue:
    """The tracks of a bundle, read once and never changed. A track's number in the catalogue is its place.

    Attributes:
        track_ids: identifier of the track at each place.
        artist_ids: artist of the track at each place; None if unknown.
        artists: (tracks,) number of each track's artist, -1 if unknown.
        genres: genres of the track at each place.
        not_in_catalogue: places of the tracks that the catalogue did not have when the model was trained.
        place: track identifier → place.
        popular: places of the tracks, most played first.
        fresh: places of recently released tracks, newest first.
        fresh_vectors: (fresh, d) collaborative-filtering vectors of the recently released tracks.
        similar: tracks that the same people play.
        follows: tracks that are played after a track.
        segments: popularity of tracks by listener segment.
        liked: (tracks,) number of plays to the end.
        disliked: (tracks,) number of plays that were broken off.
        listeners: (tracks,) number of listeners who played each track; 0 in bundles that lack it.
        all_listeners: number of listeners with plays; 0 in bundles that lack it.
    """

    def __init__(self, bundle: Bundle) -> None:
        import voyager

        tracks = json.loads(bundle.read("catalogue.json"))
        self.track_ids: list[str] = tracks["track_ids"]
        self.artist_ids: list[str | None] = tracks["artist_ids"]
        self.genres: list[list[str]] = tracks["genres"]
        self.not_in_catalogue = np.array(tracks.get("not_in_catalogue", ()), np.int64)
        self.place: dict[str, int] = {track: place for place, track in enumerate(self.track_ids)}
        artist_numbers: dict[str, int] = {}
        self.artists = np.array(
            [
                -1 if artist is None else artist_numbers.setdefault(artist, len(artist_numbers))
                for artist in self.artist_ids
            ],
            np.int64,
        )
        self.track_keys, self.artist_keys = KnownKeys(self.track_ids), KnownKeys(list(artist_numbers))
        self.popular = np.array(tracks["popular"], np.int64)
        self.fresh = np.array(tracks["fresh"], np.int64)
        self.similar = Neighbours.from_bytes(bundle.read("similar.npz"))
        self.follows = Neighbours.from_bytes(bundle.read("follows.npz"))
        self.segments = SegmentPopularity.from_bytes(bundle.read("segments.npz"))
        outcomes = npz.unpack(bundle.read("outcomes.npz"))
        self.liked, self.disliked = outcomes["liked"], outcomes["skipped"]
        self.listeners = outcomes.get("listeners", np.zeros(len(self.track_ids), np.int64))
        self.all_listeners = int(tracks.get("listeners", 0))
        self._shared_listeners = outcomes.get("shared_listeners")
        self._released = dict(zip(self.fresh.tolist(), tracks.get("released", ()), strict=False))
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

    @cached_property
    def is_long_tail(self) -> np.ndarray:
        """(tracks,) whether a track is in the long tail: outside the fifth with the most listeners, or plays."""
        return is_long_tail(self.listeners if self.listeners.any() else self.liked + self.disliked)

    def __len__(self) -> int:
        return len(self.track_ids)

    def places(self, tracks: Iterable[str]) -> np.ndarray:
        """List the places of the given tracks in their order; tracks that the catalogue lacks are left out."""
        places = np.fromiter(map(self.place.get, tracks, repeat(-1)), np.int64)
        return places if places.min(initial=0) >= 0 else places[places >= 0]

    def of_artists(self, artists: Iterable[str]) -> np.ndarray:
        """List the places of all tracks by the given artists."""
        places = [place for artist in artists for place in self._of_artist.get(artist, ())]
        return np.array(places, np.int64)

    def of_genres(self, genres: Iterable[str]) -> np.ndarray:
        """List the places of all tracks of the given genres."""
        places = {place for genre in genres for place in self._of_genre.get(genre, ())}
        return np.array(sorted(places), np.int64)

    def near(self, kind: str, vector: np.ndarray, count: int) -> np.ndarray:
        """Find the tracks whose vectors have the largest inner products with a vector, best first.

        Args:
            kind: ``taste`` or ``content``.
            vector: (d,) float32.
            count: maximum number of tracks.
        """
        index = self._taste if kind == "taste" else self._content
        limit = min(count, len(self.track_ids))
        if not limit or len(vector) != index.num_dimensions:
            return np.empty(0, np.int64)
        places, _ = index.query(np.asarray(vector, np.float32), k=limit, query_ef=max(limit, 100))
        return np.asarray(places, np.int64)

    def vectors(self, kind: str, places: np.ndarray | Sequence[int]) -> np.ndarray:
        """Return the (n, d) float32 vectors of the tracks at the given places."""
        index = self._taste if kind == "taste" else self._content
        if not len(places):
            return np.empty((0, index.num_dimensions), np.float32)
        return np.asarray(index.get_vectors(np.asarray(places).tolist()), np.float32)

    def shared_listeners(self, seed: int, place: int) -> int:
        """Return how many listeners played both a track and its neighbour in ``similar``, 255 at most; 0 if unknown."""
        if self._shared_listeners is None:
            return 0
        neighbours = self.similar.places[seed].tolist()
        return int(self._shared_listeners[seed, neighbours.index(place)]) if place in neighbours else 0

    def days_since_release(self, place: int, now: float) -> float | None:
        """Return the days from the release of a track of ``fresh`` to a moment (seconds since 1970); else None."""
        released = self._released.get(place)
        return None if released is None else (now - released / 1e6) / 86_400

    def popular_rank(self, place: int) -> int | None:
        """Return the popularity rank in the bundle's last four weeks, from 1; None if nobody played the track."""
        return self._rank.get(place)
