"""What must not be recommended."""

from collections.abc import Collection

import numpy as np

from inference.recommend.retrieve import Candidates, Retriever


def leave_out(
    candidates: Candidates, retriever: Retriever, *, tracks: Collection[str], artists: Collection[str]
) -> Candidates:
    """Candidates without some tracks (heard, or not wanted) and without some artists."""
    unwanted_tracks, unwanted_artists = set(tracks), set(artists)
    keep = np.array(
        [
            retriever.track_ids[place] not in unwanted_tracks and retriever.artist_ids[place] not in unwanted_artists
            for place in candidates.places
        ],
        dtype=bool,
    )
    return candidates.keep(keep)
