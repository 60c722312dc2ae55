"""Reasons for recommendations, in words that the listener can check."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.pure.candidates.neighbours import Neighbours

ARTIST_PLAYS = 2
_PERSONAL_SOURCES = ("taste", "similar", "follows", "content")


def reason(
    *,
    source: str,
    explored: bool = False,
    artist_name: str | None = None,
    artist_plays: Any = None,
    follows: str | None = None,
    similar: str | None = None,
    popular_rank: int | None = None,
    among: str | None = None,
    picked: bool = False,
) -> str:
    """Return the strongest reason that applies.

    Args:
        source: candidate source of the track.
        explored: whether exploration chose the track.
        artist_name: artist of the track.
        artist_plays: plays of that artist by the listener in 28 days; None if unknown.
        follows: title of the recent play that this track most often follows.
        similar: title of the played or picked track that this track is most often played with.
        popular_rank: popularity rank in the last 28 days, from 1.
        among: segment in which the track is popular, if it is not popular in general.
        picked: whether the listener picked ``similar`` rather than played it.
    """
    verb = "picked" if picked else "played"
    reasons = (
        (explored, "new to most: be among the first to hear it"),
        (
            artist_plays and artist_plays >= ARTIST_PLAYS and artist_name,
            f"you played {artist_name} {int(artist_plays or 0)} times in the last 28 days",
        ),
        (source == "follows" and follows, f"often played after {follows}, which you just played"),
        (similar and source in _PERSONAL_SOURCES, f"listeners of {similar}, which you {verb}, play it too"),
        (source == "content", f"it is like what you {'picked' if picked else 'play'}"),
        (source in _PERSONAL_SOURCES, "listeners with your taste play it"),
        (source == "fresh", "it came out in the last four weeks"),
        (among, f"listeners like you play it ({among})"),
        (popular_rank, f"number {popular_rank} of the last 28 days"),
    )
    return next((text for holds, text in reasons if holds), "you have not heard it yet")


def strongest_neighbours(table: Neighbours, seeds: np.ndarray, candidates: np.ndarray) -> list[int | None]:
    """Find for each candidate the seed track that it goes with best: a row of ``seeds``, or None if there is none.

    Args:
        table: neighbours of tracks with their weights.
        seeds: (h,) places of the seed tracks.
        candidates: (n,) places of the candidates.
    """
    if not len(seeds):
        return [None] * len(candidates)
    neighbours, weights = table.places[seeds], table.weights[seeds]
    result: list[int | None] = []
    for place in candidates.tolist():
        strength = np.where(neighbours == place, weights, 0).max(axis=1)
        best = int(strength.argmax())
        result.append(best if strength[best] > 0 else None)
    return result


def with_fallback(titles: Sequence[str | None], fallback: Sequence[str]) -> list[str]:
    """Replace missing titles by their fallback."""
    return [title or substitute for title, substitute in zip(titles, fallback, strict=True)]
