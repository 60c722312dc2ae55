"""What listeners hear again: learned from the plays of each of them alone, and measured on their own last sessions.

For people with few others around them. Nothing here compares listeners; a listener alone gets the same as among many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions, distinct
from training.models.recommendation.candidates import AHEAD, SESSION_PAUSE, SESSION_TRACKS, Timelines
from training.models.recommendation.knowledge import sparse_neighbours
from training.models.recommendation.score_weights import learn_score_weights
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from transforms.pure.candidates.own import (
    PARTS,
    SCORES,
    OwnListening,
    candidate_rows,
    not_just_played,
    ordered,
    own_scores,
    part_of_day,
)

QUESTIONS = ("start", "within")
"""Moments of a session: its start, an hour or more after the play before; and in the middle of it."""
FADING_DAYS = 28
FOLLOWERS = 10
"""Number of tracks kept for each track that were played soon after it."""
RECENT_PLAYS, HISTORY = 5_000, 1_000
"""Plays that are looked through for the last distinct tracks, and how many of these count."""


@dataclass(frozen=True)
class OwnQuery:
    """One moment at which a listener heard something again.

    Attributes:
        user: number of the listener.
        moment: µs since 1970 UTC; only earlier plays are known.
        history: distinct tracks before the moment, newest first, ``HISTORY`` at most.
        session: plays of the last day, newest first, ``SESSION_TRACKS`` at most.
        relevant: distinct tracks that were played from the moment on in this session, had been heard before it, and are
            not in ``session``.
        question: ``start`` at the start of a session, ``within`` in the middle of one.
    """

    user: int
    moment: int
    history: np.ndarray
    session: np.ndarray
    relevant: np.ndarray
    question: str


def listen(interactions: Interactions, user: int, cutoff: int) -> OwnListening:
    """Sums up the plays of one listener before the cutoff."""
    plays = interactions.before(cutoff)
    plays = plays.only(plays.user == user)
    places, rows = np.unique(plays.track, return_inverse=True)
    count = len(places)
    last = np.zeros(count, np.int64)
    np.maximum.at(last, rows, plays.time)
    age_days = (cutoff - plays.time) / MICROSECONDS_A_DAY
    weights = Transitions().fit(plays, cutoff).weights if count else sparse.csr_array((0, 0))
    own_weights = sparse.csr_array(weights[places][:, places]) if count else sparse.csr_array((0, 0))
    return OwnListening(
        places=places,
        plays=np.bincount(rows, minlength=count),
        last=last,
        faded=np.bincount(rows, 0.5 ** (age_days / FADING_DAYS), minlength=count),
        by_part=np.bincount(rows * PARTS + part_of_day(plays.time), minlength=count * PARTS).reshape(count, PARTS),
        follows=sparse_neighbours(own_weights, FOLLOWERS),
    )


def own_queries(
    interactions: Interactions, user: int, start: int, end: int, *, most: int, rng: np.random.Generator
) -> list[OwnQuery]:
    """Builds queries at the starts of sessions of one listener in a period, and one within each longer session.

    Args:
        interactions: all plays.
        user: number of the listener.
        start: µs since 1970 UTC.
        end: µs since 1970 UTC; plays at or after it are ignored.
        most: number of sessions above which a sample is drawn.
        rng: random generator of the samples.
    """
    positions = Timelines(interactions).before(user, end)
    times, tracks = interactions.time[positions], interactions.track[positions]
    is_start = np.diff(times, prepend=np.iinfo(np.int64).min // 2) >= SESSION_PAUSE
    starts = np.flatnonzero(is_start)
    stops = np.append(starts[1:], len(times))
    in_period = np.flatnonzero((times[starts] >= start) & (starts > 0)) if len(starts) else starts
    if len(in_period) > most:
        in_period = np.sort(rng.choice(in_period, most, replace=False))
    queries = []
    for number in in_period.tolist():
        first, stop = int(starts[number]), int(stops[number])
        middles = [int(rng.integers(first + 1, stop))] if stop - first > 1 else []
        for question, index in zip(QUESTIONS, (first, *middles), strict=False):
            past = int(np.searchsorted(times, times[index]))
            newest = tracks[max(past - RECENT_PLAYS, 0) : past][::-1]
            lately = times[max(past - SESSION_TRACKS, 0) : past][::-1] >= times[index] - MICROSECONDS_A_DAY
            session = newest[:SESSION_TRACKS][lately]
            known_before = np.intersect1d(tracks[index : min(stop, index + AHEAD)], tracks[:past])
            relevant = np.setdiff1d(known_before, session)
            if len(relevant):
                history = distinct(newest)[:HISTORY]
                queries.append(OwnQuery(user, int(times[index]), history, session, relevant, question))
    return queries


@dataclass(frozen=True)
class ScoredQuery:
    """The candidates of one query with their scores.

    Attributes:
        query: the query.
        places: (n,) numbers of the candidate tracks.
        scores: name → (n,) scores.
    """

    query: OwnQuery
    places: np.ndarray
    scores: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, query: OwnQuery, own: OwnListening, content: np.ndarray) -> "ScoredQuery":
        """Scores the candidates of a query, from the own plays before a cutoff and the (tracks, d) content vectors."""
        scores = own_scores(own, query.history, query.session, query.moment, content[own.places])
        rows = candidate_rows(scores, not_just_played(own, query.session))
        return cls(query, own.places[rows], {name: values[rows] for name, values in scores.items()})

    def ranked(self, order: str, weights: Mapping[str, float]) -> np.ndarray:
        """Lists the candidate tracks in an order (a score, or ``blend``), best first."""
        return self.places[ordered(self.scores, np.arange(len(self.places)), order, weights)[0]]


def learn_blend(queries: Sequence[ScoredQuery]) -> dict[str, float]:
    """Learns the weights of the scores that rank best by NDCG@10."""
    questions = [(item.scores, np.isin(item.places, item.query.relevant), len(item.query.relevant)) for item in queries]
    return learn_score_weights(questions, {name: float(name == SCORES[0]) for name in SCORES})
