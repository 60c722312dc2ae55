"""What one listener has heard, and in which order they may want to hear it again: from their own plays alone.

Repeat consumption follows how often and how lately something was consumed (Anderson, Kumar, Tomkins, Vassilvitskii:
The Dynamics of Repeat Consumption, WWW 2014), what was played before, and the time of day. Each is one score of every
heard track; a listener alone needs no others for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transforms.pure.candidates.blend import blended
from transforms.pure.candidates.neighbours import HISTORY_FADES, SESSION_FADES, Neighbours, fading

HOURS = 3
"""Hours of a part of the day (UTC), of which there are eight."""
PARTS = 24 // HOURS
FORGOTTEN_DAYS, FAVOURITE_PLAYS = 60, 5
"""A forgotten favourite was played at least so many times, and not for so many days."""
POOLED = 200
"""Number of tracks that each score brings into the candidates."""
DAY, HOUR = 86_400_000_000, 3_600_000_000
SESSION_PAUSE_S = 3_600.0
"""Seconds without a play after which the next one starts a session."""
SIMPLE = ("plays", "recent")
"""Scores that are orders by themselves and learn nothing: most played first, last played first."""
SCORES = (*SIMPLE, "lately", "follows", "hour", "content")


@dataclass(frozen=True)
class OwnListening:
    """The plays of one listener before a cutoff, by track.

    Attributes:
        places: (n,) int64 numbers of the heard tracks, ascending.
        plays: (n,) number of plays.
        last: (n,) time of the last play, µs since 1970 UTC.
        faded: (n,) plays at half their weight for every four weeks of age.
        by_part: (n, 8) plays by part of the day.
        follows: tracks that the listener played soon after each; numbers count into ``places``.
    """

    places: np.ndarray
    plays: np.ndarray
    last: np.ndarray
    faded: np.ndarray
    by_part: np.ndarray
    follows: Neighbours

    def in_catalogue(self) -> "OwnListening":
        """Sort by places, without the tracks whose place is -1."""
        order = np.argsort(self.places, kind="stable")[int((self.places < 0).sum()) :]
        number = np.full(len(self.places) + 1, -1, np.int32)
        number[order] = np.arange(len(order))
        followers = number[self.follows.places[order]]
        follows = Neighbours(followers, np.where(followers >= 0, self.follows.weights[order], 0).astype(np.float32))
        columns = {name: getattr(self, name)[order] for name in ("places", "plays", "last", "faded", "by_part")}
        return OwnListening(**columns, follows=follows)

    def rows(self, tracks: np.ndarray) -> np.ndarray:
        """Rows of those of the given tracks that were heard, in their order."""
        if not len(self.places):
            return np.empty(0, np.int64)
        nearest = np.minimum(np.searchsorted(self.places, tracks), len(self.places) - 1)
        return np.asarray(nearest[self.places[nearest] == tracks], np.int64)


def part_of_day(moment: int | np.ndarray) -> np.ndarray:
    """Number of the part of the day of a moment, µs since 1970 UTC.

    >>> int(part_of_day(7 * HOUR))
    2
    """
    return np.asarray(moment // HOUR % 24 // HOURS)


def own_scores(
    own: OwnListening, history: np.ndarray, session: np.ndarray, moment: int, vectors: np.ndarray
) -> dict[str, np.ndarray]:
    """Name → (n,) scores of the heard tracks at a moment.

    Args:
        own: the plays before a cutoff.
        history: distinct tracks up to the moment, the last one first.
        session: tracks of the last plays within a day, the last one first.
        moment: µs since 1970 UTC.
        vectors: (n, d) content vectors of the heard tracks.
    """
    count = len(own.places)
    recent = np.full(count, 0.0)
    order = np.argsort(-own.last, kind="stable")
    newest = own.rows(history)
    order = np.concatenate([newest, order[~np.isin(order, newest)]]).astype(np.int64)
    recent[order] = -np.log1p(np.arange(count))
    follows, session_rows = np.zeros(count), own.rows(session)
    followers, weights = own.follows.scores(session_rows, fading(len(session_rows), SESSION_FADES))
    follows[followers] = weights
    basis = session_rows if len(session_rows) else newest[:20]
    profile = fading(len(basis), HISTORY_FADES) @ vectors[basis] if len(basis) else np.zeros(vectors.shape[1])
    return {
        "plays": np.log1p(own.plays),
        "recent": recent,
        "lately": np.log1p(own.faded),
        "follows": follows,
        "hour": np.log((1 + own.by_part[:, part_of_day(moment)]) / (1 + own.plays / PARTS)),
        "content": vectors @ profile,
    }


def candidate_rows(scores: Mapping[str, np.ndarray], allowed: np.ndarray) -> np.ndarray:
    """Rows of the tracks worth ranking: the best of each score among the allowed ones, ascending.

    Args:
        scores: name → (n,) scores.
        allowed: (n,) whether a track may be a candidate.
    """
    rows = np.flatnonzero(allowed)
    best = [rows[np.argsort(-values[rows], kind="stable")[:POOLED]] for values in scores.values()]
    return np.unique(np.concatenate(best)) if best else rows


def not_just_played(own: OwnListening, session: np.ndarray) -> np.ndarray:
    """(n,) whether a track is worth hearing *again*: not among the last plays, unless there are no others."""
    allowed = np.ones(len(own.places), bool)
    allowed[own.rows(session)] = False
    return allowed if allowed.any() else np.ones(len(own.places), bool)


def ordered(
    scores: Mapping[str, np.ndarray], rows: np.ndarray, order: str, weights: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Order candidates.

    Args:
        scores: name → (n,) scores.
        rows: rows of the candidates.
        order: a score, or ``blend``.
        weights: score → weight in the blend.

    Returns:
        The rows, best first, and their values.
    """
    candidates = {name: values[rows] for name, values in scores.items()}
    values = blended(candidates, weights) if order == "blend" else candidates[order]
    best = np.argsort(-values, kind="stable")
    return rows[best], values[best]


def forgotten_favourites(own: OwnListening, moment: int) -> np.ndarray:
    """Rows of tracks that were played often, and not for a long time, most played first; of equals the longest ago."""
    is_forgotten = (own.plays >= FAVOURITE_PLAYS) & (own.last < moment - FORGOTTEN_DAYS * DAY)
    rows = np.flatnonzero(is_forgotten)
    return rows[np.lexsort((own.last[rows], -own.plays[rows]))]
