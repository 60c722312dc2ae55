"""Leaves out tracks that were heard or are blocked. What may not be played: ``inference.recommend.rights``."""

from collections.abc import Collection

import numpy as np

from inference.recommend.catalogue import Catalogue


def excluded_places(
    catalogue: Catalogue, heard: Collection[str], tracks: Collection[str], artists: Collection[str]
) -> np.ndarray:
    """List the places of tracks that were heard or are blocked, and of all tracks by blocked artists."""
    return np.unique(np.concatenate([catalogue.places({*heard, *tracks}), catalogue.of_artists(set(artists))]))
