"""Candidates: the tracks nearest to the listener's vector, and what many play."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.bundle import Bundle


@dataclass(frozen=True)
class Candidates:
    """Tracks to choose from, each once.

    Attributes:
        places: (n,) numbers of the tracks in the bundle's catalogue.
        source: (n,) ``taste`` or ``popular``; ``taste`` where both found it.
    """

    places: np.ndarray
    source: np.ndarray

    def keep(self, wanted: np.ndarray) -> "Candidates":
        """Those that ``wanted`` selects: a mask (n,) or places in the order wanted."""
        return Candidates(self.places[wanted], self.source[wanted])


class Retriever:
    """The bundle's catalogue, its nearest-neighbour index and its list of popular tracks."""

    def __init__(self, bundle: Bundle) -> None:
        import voyager

        catalogue = json.loads(bundle.read("catalogue.json"))
        self.track_ids: list[str] = catalogue["track_ids"]
        self.artist_ids: list[str | None] = catalogue["artist_ids"]
        self.place: dict[str, int] = {track: place for place, track in enumerate(self.track_ids)}
        self._popular = np.array(catalogue["popular"], dtype=np.int64)
        self._popular_rank = np.empty(len(self._popular), np.int64)
        self._popular_rank[self._popular] = np.arange(1, len(self._popular) + 1)
        self._index = voyager.Index.load(io.BytesIO(bundle.read("index.voy")))
        self._nearest = int(bundle.manifest["extra"]["nearest"])
        self._few_popular = int(bundle.manifest["extra"]["popular"])

    def retrieve(self, vector: np.ndarray | None, seen: Sequence[str], wanted: int) -> Candidates:
        """Candidates for one listener, the heard ones already left out of the counts.

        Args:
            vector: (d,) float32 of the listener; None if there is none, and then popularity alone answers.
            seen: identifiers of heard tracks.
            wanted: how many recommendations are asked for; there will be as many candidates if there are tracks.
        """
        heard = {self.place[track] for track in seen if track in self.place}
        near = self._near(vector, heard, max(self._nearest, wanted)) if vector is not None else self._popular[:0]
        few = max(self._few_popular, wanted)
        popular = _first_unheard(self._popular, heard, few)
        popular = popular[~np.isin(popular, near)]
        source = np.array(["taste"] * len(near) + ["popular"] * len(popular), dtype=object)
        return Candidates(np.concatenate([near, popular]), source)

    def popular_rank(self, place: int) -> int:
        """Place of a track among the most played of the bundle's last 28 days, from 1."""
        return int(self._popular_rank[place])

    def vectors(self, places: np.ndarray) -> np.ndarray:
        """(n, d) float32 vectors of catalogue places."""
        return np.asarray(self._index.get_vectors(places.tolist()), dtype=np.float32)

    def _near(self, vector: np.ndarray, heard: set[int], count: int) -> np.ndarray:
        wanted = min(count + len(heard), len(self.track_ids))
        found, _distances = self._index.query(vector, k=wanted, query_ef=max(wanted, 100))
        return _first_unheard(np.asarray(found, dtype=np.int64), heard, count)


def _first_unheard(places: np.ndarray, heard: set[int], count: int) -> np.ndarray:
    unheard = places[~np.isin(places, list(heard))] if heard else places
    return unheard[:count]
