"""Why a track is recommended, in words that the listener can check."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.pure.candidates.neighbours import Neighbours

ARTIST_PLAYS = 2
_PERSONAL = ("taste", "similar", "follows", "content")


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
    """The strongest ground there is.

    Args:
        source: of the candidate.
        explored: whether it is shown to learn of it.
        artist_name: of the track.
        artist_plays: plays of that artist by the listener in 28 days; None if none are known.
        follows: title of the last play that it is most played after.
        similar: title of the track they played, or picked, that it is most played with.
        popular_rank: place among the most played of the last 28 days, from 1.
        among: whom it is popular among, if not everybody.
        picked: whether they picked ``similar`` rather than played it.
    """
    verb = "picked" if picked else "played"
    grounds = (
        (explored, "new to most: be among the first to hear it"),
        (
            artist_plays and artist_plays >= ARTIST_PLAYS and artist_name,
            f"you played {artist_name} {int(artist_plays or 0)} times in the last 28 days",
        ),
        (source == "follows" and follows, f"often played after {follows}, which you just played"),
        (similar and source in _PERSONAL, f"listeners of {similar}, which you {verb}, play it too"),
        (source == "content", f"it is like what you {'picked' if picked else 'play'}"),
        (source in _PERSONAL, "listeners with your taste play it"),
        (source == "fresh", "it came out in the last four weeks"),
        (among, f"listeners like you play it ({among})"),
        (popular_rank, f"number {popular_rank} of the last 28 days"),
    )
    return next((told for holds, told in grounds if holds), "you have not heard it yet")


def strongest(table: Neighbours, asked: np.ndarray, wanted: np.ndarray) -> list[int | None]:
    """For each track wanted, which of the tracks asked goes with it best: its place in ``asked``; None for none.

    Args:
        table: what goes with what.
        asked: (h,) places of tracks.
        wanted: (n,) places of tracks.
    """
    if not len(asked):
        return [None] * len(wanted)
    near, weights = table.places[asked], table.weights[asked]
    found: list[int | None] = []
    for place in wanted.tolist():
        amount = np.where(near == place, weights, 0).max(axis=1)
        best = int(amount.argmax())
        found.append(best if amount[best] > 0 else None)
    return found


def first_known(titles: Sequence[str | None], fallback: Sequence[str]) -> list[str]:
    """Titles, or what stands in for them."""
    return [title or other for title, other in zip(titles, fallback, strict=True)]
