"""Why a track is recommended, in words that the listener can check."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.candidates.neighbours import Neighbours

ARTIST_PLAYS = 2


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
    if explored:
        return "new to most: be among the first to hear it"
    if artist_plays and artist_plays >= ARTIST_PLAYS and artist_name:
        return f"you played {artist_name} {int(artist_plays)} times in the last 28 days"
    if source == "follows" and follows:
        return f"often played after {follows}, which you just played"
    verb = "picked" if picked else "played"
    if similar and source in ("taste", "similar", "content", "follows"):
        return f"listeners of {similar}, which you {verb}, play it too"
    if source == "content":
        return f"it is like what you {'picked' if picked else 'play'}"
    if source in ("taste", "similar", "follows"):
        return "listeners with your taste play it"
    if source == "fresh":
        return "it came out in the last four weeks"
    if among:
        return f"listeners like you play it ({among})"
    return f"number {popular_rank} of the last 28 days" if popular_rank else "you have not heard it yet"


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
