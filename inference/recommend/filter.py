"""What must not be recommended: heard, blocked, taken down, not for this country, explicit where that is not wanted."""

from collections.abc import Collection

import numpy as np

from inference.features import OnlineFeatures
from inference.recommend.catalogue import Catalogue
from transforms.candidates.pool import Pool


def unwanted(
    catalogue: Catalogue, heard: Collection[str], tracks: Collection[str], artists: Collection[str]
) -> np.ndarray:
    """Places of tracks that were heard or are blocked, and of all by blocked artists."""
    return np.unique(np.concatenate([catalogue.places({*heard, *tracks}), catalogue.of_artists(set(artists))]))


def allowed(
    features: OnlineFeatures, catalogue: Catalogue, found: Pool, *, country: str | None, explicit: bool
) -> Pool:
    """Those that may be played, as the catalogue says now: a track of which it says nothing may.

    Args:
        features: of ``track_rights_v1``.
        catalogue: all there is.
        found: candidates.
        country: of the listener; tracks for some countries alone are left out where it is not known.
        explicit: whether explicit tracks may be among them.

    Raises:
        OnlineUnavailable: the online store does not answer.
    """
    if not len(found):
        return found
    rows = features.get({"track_id": [catalogue.track_ids[place] for place in found.places.tolist()]})
    values = rows.columns
    keep = rows.missing["track_catalogue__available"] | values["track_catalogue__available"]
    if not explicit:
        keep &= rows.missing["track_catalogue__explicit"] | ~values["track_catalogue__explicit"]
    regions = values["track_catalogue__regions"]
    for row in np.flatnonzero(~rows.missing["track_catalogue__regions"]).tolist():
        keep[row] &= country is not None and country in regions[row]
    return found.keep(keep)
