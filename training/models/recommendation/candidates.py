"""Who is asked about what: listeners at moments, and the tracks worth ranking for each of them.

The rule is that of ``transforms.pure.candidates``, which serves a live request as well.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from training.datasets.interactions import Interactions, distinct
from training.models.recommendation.knowledge import Knowledge
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from transforms.pure.candidates.neighbours import HISTORY_FADES, MOST_ASKED, SESSION_FADES, fading
from transforms.pure.candidates.pool import LIMITS, Pool, pool
from transforms.raw.table import MICROSECONDS_UTC

SESSION_TRACKS, SESSION_PAUSE = 20, 3_600_000_000
"""Last plays that make a session, within a day; µs after which the next play is a session of its own."""
AHEAD = 20
"""Plays after the moment that a session is judged by."""


@dataclass(frozen=True)
class Query:
    """One listener at one moment.

    Attributes:
        user: number of the user.
        moment: µs since 1970 UTC; nothing at or after it is known.
        pool: tracks to rank.
        relevant: distinct tracks not heard before the moment and played after it.
        seen: distinct tracks heard before the moment, newest first.
        device: on which they are asked for; None for unknown.
        context: out of which; likewise.
    """

    user: int
    moment: int
    pool: Pool
    relevant: np.ndarray
    seen: np.ndarray
    device: str | None = None
    context: str | None = None


class Timelines:
    """Everybody's plays, in order of time, for looking up what came before a moment."""

    def __init__(self, interactions: Interactions) -> None:
        order = np.argsort(interactions.user, kind="stable")
        self._bounds = np.searchsorted(interactions.user[order], np.arange(interactions.shape[0] + 1))
        self._order, self._plays = order, interactions

    def of(self, user: int) -> np.ndarray:
        """Places of a user's plays."""
        return np.asarray(self._order[self._bounds[user] : self._bounds[user + 1]])

    def before(self, user: int, moment: int) -> np.ndarray:
        """Places of those before the moment."""
        places = self.of(user)
        return np.asarray(places[: np.searchsorted(self._plays.time[places], moment)])


def at_cutoff(
    interactions: Interactions, known: Knowledge, end: int, *, most_users: int, rng: np.random.Generator
) -> list[Query]:
    """One query at the cutoff for each listener with a history before it and something new after it.

    Args:
        interactions: all plays.
        known: at the moment that is asked about, its cutoff.
        end: µs since 1970 UTC; plays from there on are not looked at.
        most_users: more listeners than this are sampled.
        rng: of the sample.
    """
    _, news = interactions.heard_and_new(known.cutoff, end)
    users = sampled(np.array([user for user, tracks in news.items() if len(tracks)], np.int64), most_users, rng)
    lines = Timelines(interactions)
    found = []
    for user in users.tolist():
        history = distinct(interactions.track[lines.before(user, known.cutoff)][::-1])
        found.append(Query(user, known.cutoff, candidates(known, user, history), news[user], history))
    return found


def in_session(
    interactions: Interactions, known: Knowledge, end: int, *, most_users: int, rng: np.random.Generator
) -> list[Query]:
    """One query in the middle of a session of each listener who has one between cutoff and end.

    Asked a second before one of their plays that came within an hour of the one before it, drawn at random; judged by
    what they had not heard among that play and those after it, ``AHEAD`` at the most.
    """
    period = interactions.between(known.cutoff, end)
    lines = Timelines(interactions)
    found = []
    for user in sampled(np.unique(period.user), most_users, rng).tolist():
        places = lines.of(user)
        times = interactions.time[places]
        pause = np.diff(times, prepend=np.iinfo(np.int64).min // 2)
        inside = (times >= known.cutoff + 1_000_000) & (times < end) & (pause < SESSION_PAUSE) & (pause > 1_000_000)
        if not inside.any():
            continue
        place = int(rng.choice(np.flatnonzero(inside)))
        moment = int(times[place]) - 1_000_000
        past = places[times < moment]
        history = distinct(interactions.track[past][::-1])
        ahead = places[place:][times[place:] < end][:AHEAD]
        relevant = np.setdiff1d(interactions.track[ahead], history)
        if not len(relevant):
            continue
        recent = past[interactions.time[past] >= moment - MICROSECONDS_A_DAY]
        session = interactions.track[recent][::-1][:SESSION_TRACKS]
        asked = interactions.device[places[place]], interactions.context[places[place]]
        found.append(Query(user, moment, candidates(known, user, history, session), relevant, history, *asked))
    return found


def sampled(users: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """So many of them at the most, in order."""
    return np.sort(rng.choice(users, most, replace=False)) if len(users) > most else users


def candidates(known: Knowledge, user: int | None, history: np.ndarray, session: np.ndarray | None = None) -> Pool:
    """Tracks to rank for one listener.

    Args:
        known: at the moment.
        user: number of the listener; None for somebody without vectors.
        history: distinct tracks, newest first.
        session: last plays, newest first; None where no session is asked about.
    """
    asked = history[:MOST_ASKED]
    found = {"popular": known_first(known.popular, known.known & (known.popular > 0))}
    wanted = len(history)
    if user is not None and known.taste.user[user].any():
        taste = known.taste.track @ known.taste.user[user]
        found["taste"] = best(taste, known.known, LIMITS["taste"] + wanted)
        found["fresh"] = known.fresh[np.argsort(-taste[known.fresh], kind="stable")]
    if user is not None and known.content[0][user].any():
        content = known.content[1] @ known.content[0][user]
        found["content"] = best(content, known.known & (content != 0), LIMITS["content"] + wanted)
    return pool(
        found,
        history,
        similar=known.similar.ask(asked, fading(len(asked), HISTORY_FADES)),
        follows=None if session is None else known.follows.ask(session, fading(len(session), SESSION_FADES)),
    )


def best(scores: np.ndarray, allowed: np.ndarray, count: int) -> np.ndarray:
    """The first so many by their score, those allowed alone."""
    masked = np.where(allowed, scores, -np.inf)
    few = min(count, len(masked))
    first = np.argpartition(-masked, few - 1)[:few]
    first = first[np.isfinite(masked[first])]
    return np.asarray(first[np.lexsort((first, -masked[first]))])


def known_first(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """All that are allowed, by their score; ties by place."""
    order = np.argsort(-scores, kind="stable")
    return np.asarray(order[allowed[order]])


def spine(interactions: Interactions, asked: list[Query], platform: str, *, context: bool = False) -> pl.DataFrame:
    """One row per query and candidate, stamped with its moment: keys, what retrieval says, ``query``, ``label``.

    Args:
        interactions: all plays.
        asked: the queries.
        platform: whose totals are meant.
        context: whether device and context are told.
    """
    sizes = [len(query.pool) for query in asked]
    users = np.repeat([query.user for query in asked], sizes)
    moments = np.repeat([query.moment for query in asked], sizes)
    tracks = _joined([query.pool.places for query in asked], np.int64)
    columns = {
        "user_id": pl.Series(interactions.user_ids, dtype=pl.String).gather(users),
        "track_id": pl.Series(interactions.track_ids, dtype=pl.String).gather(tracks),
        "artist_id": pl.Series(interactions.artist_ids, dtype=pl.String).gather(tracks),
        "platform_id": pl.repeat(platform, len(tracks), eager=True),
        "event_timestamp": pl.Series(moments, dtype=pl.Int64).cast(MICROSECONDS_UTC),
        "similar_score": _joined([query.pool.similar for query in asked], np.float64),
        "follows_score": _joined([query.pool.follows for query in asked], np.float64),
        "query": pl.Series(np.repeat(np.arange(len(asked)), sizes), dtype=pl.Int64),
        "track": tracks,
        "label": _joined([np.isin(query.pool.places, query.relevant) for query in asked], bool),
    }
    if context:
        for name in ("device", "context"):
            told = pl.Series([getattr(query, name) for query in asked], dtype=pl.String)
            columns[name] = told.gather(np.repeat(np.arange(len(asked)), sizes))
    return pl.DataFrame(columns)


def fewer_negatives(asked: list[Query], most: int, rng: np.random.Generator) -> list[Query]:
    """The same questions with all that was played and a sample of what was not: enough to learn an order from."""
    found = []
    for query in asked:
        played = np.isin(query.pool.places, query.relevant)
        others = np.flatnonzero(~played)
        if len(others) > most:
            others = rng.choice(others, most, replace=False)
        rows = np.sort(np.concatenate([np.flatnonzero(played), others]))
        found.append(Query(**{**query.__dict__, "pool": query.pool.keep(rows)}))
    return found


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)
