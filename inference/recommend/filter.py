"""Filters tracks: heard, blocked, taken down, not licensed for the country, or explicit where that is excluded."""

import time
from collections.abc import Collection

import numpy as np

from inference.features import OnlineFeatures
from inference.recommend.catalogue import Catalogue
from transforms.pure.candidates.pool import Pool

MAX_AGE_S = 5.0
"""Seconds for which looked-up features of tracks and artists are reused: a takedown takes effect within this time."""


def excluded(
    catalogue: Catalogue, heard: Collection[str], tracks: Collection[str], artists: Collection[str]
) -> np.ndarray:
    """List the places of tracks that were heard or are blocked, and of all tracks by blocked artists."""
    return np.unique(np.concatenate([catalogue.places({*heard, *tracks}), catalogue.of_artists(set(artists))]))


class Rights:
    """Playback rights of tracks from the online store, looked up again after ``MAX_AGE_S``.

    Args:
        features: lookup of the feature service ``track_rights_v1``.
        catalogue: the tracks of the bundle.
    """

    def __init__(self, features: OnlineFeatures, catalogue: Catalogue) -> None:
        self.features, self._catalogue = features, catalogue
        self._checked_at = np.full(len(catalogue), -np.inf)
        self._available, self._explicit = np.ones(len(catalogue), bool), np.zeros(len(catalogue), bool)
        self._has_regions = np.zeros(len(catalogue), bool)
        self._regions: dict[int, frozenset[str]] = {}

    def allowed(self, pool: Pool, *, country: str | None, explicit: bool) -> Pool:
        """Keep the candidates that may be played. A track without rights information may be played.

        Args:
            pool: the candidates.
            country: country of the listener. If None, tracks with regional rights are left out.
            explicit: whether explicit tracks are allowed.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        places = pool.places
        self._look_up(places[time.monotonic() - self._checked_at[places] > MAX_AGE_S])
        keep = self._available[places]
        if not explicit:
            keep &= ~self._explicit[places]
        for row in np.flatnonzero(self._has_regions[places]).tolist():
            keep[row] &= country in self._regions[int(places[row])]
        return pool.keep(keep)

    def _look_up(self, places: np.ndarray) -> None:
        if not len(places):
            return
        rows = self.features.get({"track_id": [self._catalogue.track_ids[place] for place in places.tolist()]})
        values, missing = rows.columns, rows.missing
        view = "track_catalogue__"
        for place, regions in zip(places.tolist(), rows.values[f"{view}regions"], strict=True):
            if regions is not None:
                self._regions[place] = frozenset(regions)
        self._has_regions[places] = ~missing[f"{view}regions"]
        self._available[places] = missing[f"{view}available"] | values[f"{view}available"]
        self._explicit[places] = ~missing[f"{view}explicit"] & values[f"{view}explicit"]
        self._checked_at[places] = time.monotonic()
