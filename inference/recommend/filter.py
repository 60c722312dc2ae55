"""Leaves out tracks that were heard or are blocked. What may not be played: ``inference.recommend.rights``."""

from collections.abc import Collection

import numpy as np

from feature_repo.distinct import distinct
from inference.recommend.catalogue import Catalogue


def excluded_places(
    catalogue: Catalogue, heard: np.ndarray, tracks: Collection[str], artists: Collection[str]
) -> np.ndarray:
    """List the places of tracks that were heard or are blocked, and of all tracks by blocked artists.

    Args:
        catalogue: the tracks of the bundle.
        heard: places of heard tracks.
        tracks: identifiers of blocked tracks.
        artists: identifiers of blocked artists.
    """
    blocked = [catalogue.places(tracks)] if tracks else []
    if artists:
        blocked.append(catalogue.of_artists(set(artists)))
    return distinct(np.concatenate([heard, *blocked]) if blocked else heard)
