"""What must not be recommended: heard, blocked, taken down, not for this country, explicit where that is not wanted."""

import time
from collections.abc import Collection

import numpy as np

from inference.features import OnlineFeatures
from inference.recommend.catalogue import Catalogue
from transforms.pure.candidates.pool import Pool

SECONDS = 5.0
"""For so long what was looked up of tracks and artists holds: the most that a takedown may take."""


def unwanted(
    catalogue: Catalogue, heard: Collection[str], tracks: Collection[str], artists: Collection[str]
) -> np.ndarray:
    """Places of tracks that were heard or are blocked, and of all by blocked artists."""
    return np.unique(np.concatenate([catalogue.places({*heard, *tracks}), catalogue.of_artists(set(artists))]))


class Rights:
    """Which tracks may be played, as the catalogue says online; asked anew after ``SECONDS``.

    Args:
        features: of ``track_rights_v1``.
        catalogue: all there is.
    """

    def __init__(self, features: OnlineFeatures, catalogue: Catalogue) -> None:
        self.features, self._catalogue = features, catalogue
        self._asked = np.full(len(catalogue), -np.inf)
        self._available, self._explicit = np.ones(len(catalogue), bool), np.zeros(len(catalogue), bool)
        self._limited = np.zeros(len(catalogue), bool)
        self._regions: dict[int, frozenset[str]] = {}

    def allowed(self, found: Pool, *, country: str | None, explicit: bool) -> Pool:
        """Those that may be played; a track of which the catalogue says nothing may.

        Args:
            found: candidates.
            country: of the listener; tracks for some countries alone are left out where it is not known.
            explicit: whether explicit tracks may be among them.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        places = found.places
        self._look_up(places[time.monotonic() - self._asked[places] > SECONDS])
        keep = self._available[places]
        if not explicit:
            keep &= ~self._explicit[places]
        for row in np.flatnonzero(self._limited[places]).tolist():
            keep[row] &= country in self._regions[int(places[row])]
        return found.keep(keep)

    def _look_up(self, places: np.ndarray) -> None:
        if not len(places):
            return
        rows = self.features.get({"track_id": [self._catalogue.track_ids[place] for place in places.tolist()]})
        values, missing = rows.columns, rows.missing
        view = "track_catalogue__"
        for place, regions in zip(places.tolist(), rows.values[f"{view}regions"], strict=True):
            if regions is not None:
                self._regions[place] = frozenset(regions)
        self._limited[places] = ~missing[f"{view}regions"]
        self._available[places] = missing[f"{view}available"] | values[f"{view}available"]
        self._explicit[places] = ~missing[f"{view}explicit"] & values[f"{view}explicit"]
        self._asked[places] = time.monotonic()
