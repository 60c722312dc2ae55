"""Reasons for recommendations, in words that the listener can check. Each is given only where its facts hold."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from transforms.pure.candidates.neighbours import Neighbours

ARTIST_PLAYS = 2
"""Number of plays of an artist from which it is a reason."""
FRESH_DAYS = 28.0
"""Days for which a track is new. ``popular`` counts as many days."""
AT_ONCE = 16
"""Number of candidates that are compared with all neighbours at once."""
LITTLE_KNOWN = 0.5
"""Share of the listeners below which a track is new to most."""


@dataclass(frozen=True)
class Facts:
    """What is known of a recommended track; what is not known is None or 0.

    Attributes:
        source: candidate source of the track.
        explored: whether exploration chose the track.
        artist_name: artist of the track.
        artist_plays: plays of that artist by the listener in 28 days.
        follows: title of a play of the last day, which this track has followed within five plays.
        similar: title of the played or picked track that this track is most often played with.
        similar_listeners: number of other listeners who played both.
        content_match: similarity of the descriptions of this track and of what the listener plays or picked.
        taste_match: inner product of the taste vectors.
        listeners: number of other listeners who played the track, as of the training.
        all_listeners: number of all listeners, as of the training.
        released_days: days since the track came out.
        popular_rank: popularity rank in the 28 days before the model's cutoff, from 1.
        popular_until: day of that cutoff, if it is not today.
        among: segment of the listener in which the track is played, if the order comes from segments.
        picked: whether the listener picked ``similar`` and what ``content_match`` compares, rather than played it.
        unheard: whether the track was looked up among all that the listener has heard, and was not there.
    """

    source: str
    explored: bool = False
    artist_name: str | None = None
    artist_plays: int | None = None
    follows: str | None = None
    similar: str | None = None
    similar_listeners: int = 0
    content_match: float = 0.0
    taste_match: float = 0.0
    listeners: int = 0
    all_listeners: int = 0
    released_days: float | None = None
    popular_rank: int | None = None
    popular_until: str | None = None
    among: str | None = None
    picked: bool = False
    unheard: bool = False


def reason(facts: Facts) -> str:
    """Return the strongest reason that holds.

    >>> reason(Facts("taste", taste_match=0.4, listeners=12)), reason(Facts("taste", taste_match=0.4))
    ('near your taste: 12 other listeners played it', 'nothing more is known of it')
    """
    return next(_reasons(facts), "nothing more is known of it")


def _reasons(facts: Facts) -> Iterator[str]:
    """Yield the reasons that hold, the strongest first."""
    verb, play = ("picked", "picked") if facts.picked else ("played", "play")
    if facts.explored and 0 < facts.listeners < LITTLE_KNOWN * facts.all_listeners:
        yield "new to most: be among the first to hear it"
    if facts.artist_name and (facts.artist_plays or 0) >= ARTIST_PLAYS:
        yield f"you played {facts.artist_name} {facts.artist_plays} times in the last 28 days"
    if facts.source == "follows" and facts.follows:
        yield f"has followed {facts.follows}, which you played in the last day"
    if facts.similar and facts.similar_listeners:
        yield f"{_people(facts.similar_listeners)} played both it and {facts.similar}, which you {verb}"
    if facts.source == "content" and facts.content_match > 0:
        yield f"described like what you {play}"
    if facts.source == "taste" and facts.taste_match > 0 and facts.listeners:
        yield f"near your taste: {_people(facts.listeners)} played it"
    if facts.released_days is not None and 0 <= facts.released_days <= FRESH_DAYS and facts.source == "fresh":
        yield "it came out in the last four weeks"
    if facts.among:
        yield f"played among listeners like you ({facts.among})"
    if facts.popular_rank:
        until = "the last 28 days" if facts.popular_until is None else f"the 28 days before {facts.popular_until}"
        yield f"number {facts.popular_rank} of {until}"
    if facts.content_match > 0:
        yield f"described like what you {play}"
    if facts.unheard:
        yield "you have not heard it yet"


def _people(count: int) -> str:
    return "another listener" if count == 1 else f"{count} other listeners"


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
    strength = np.zeros((len(candidates), len(seeds)), weights.dtype)
    for start in range(0, len(candidates), AT_ONCE):
        places = candidates[start : start + AT_ONCE].astype(neighbours.dtype)
        is_same = neighbours == places[:, None, None]
        candidate, seed, place = np.unravel_index(np.flatnonzero(is_same), is_same.shape)
        np.maximum.at(strength, (candidate + start, seed), weights[seed, place])
    best, largest = strength.argmax(axis=1).tolist(), strength.max(axis=1).tolist()
    return [row if value > 0 else None for row, value in zip(best, largest, strict=True)]
