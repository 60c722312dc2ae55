"""Why a track is recommended, in words that the listener can check."""

from collections.abc import Sequence
from typing import Any

import numpy as np

ARTIST_PLAYS = 2
LOOKS_ALIKE = 0.5


def reason(
    *,
    source: str,
    artist_name: str | None,
    artist_plays: Any,
    similarity: float,
    similar_title: str | None,
    popular_rank: int,
) -> str:
    """The strongest of: an artist they play, a track they played, what many play.

    Args:
        source: of the candidate, ``taste`` or ``popular``.
        artist_name: of the track.
        artist_plays: plays of that artist by the listener in 28 days; None if none are known.
        similarity: cosine of the track's vector with the most alike track of the listener's history.
        similar_title: title of that track.
        popular_rank: place of the track among the most played of the last 28 days, from 1.
    """
    if artist_plays and artist_plays >= ARTIST_PLAYS and artist_name:
        return f"you played {artist_name} {int(artist_plays)} times in the last 28 days"
    if source == "taste" and similar_title and similarity >= LOOKS_ALIKE:
        return f"listeners of {similar_title}, which you played, play it too"
    if source == "taste":
        return "listeners with your taste play it"
    return f"number {popular_rank} of the last 28 days"


def most_alike(tracks: np.ndarray, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place in the history and cosine of the most alike track, for each track.

    Args:
        tracks: (n, d) vectors.
        history: (h, d) vectors, h at least 1.
    """
    cosine = _unit(tracks) @ _unit(history).T
    best = cosine.argmax(axis=1)
    return best, cosine[np.arange(len(tracks)), best]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def first_known(titles: Sequence[str | None], fallback: Sequence[str]) -> list[str]:
    """Titles, or what stands in for them."""
    return [title or other for title, other in zip(titles, fallback, strict=True)]
