"""Who is asked about what: the listeners of a moment, and the tracks worth ranking for each of them.

The same rule serves training, evaluation and (in ``inference.recommend.retrieve``) a live request: the tracks nearest
to the listener's vector, and the most played of the last weeks; none they have heard.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from training.datasets.interactions import Interactions
from training.evaluate import rank_all
from training.models.recommendation import popularity
from training.models.recommendation.als import Vectors
from transforms.raw.table import MICROSECONDS_UTC

NEAREST, POPULAR = 200, 100
POPULAR_DAYS = 28


@dataclass(frozen=True)
class Query:
    """One listener at one moment.

    Attributes:
        user: number of the user.
        candidates: tracks to rank.
        relevant: distinct tracks not heard before the moment and played until the period's end.
        seen: distinct tracks heard before the moment.
    """

    user: int
    candidates: np.ndarray
    relevant: np.ndarray
    seen: np.ndarray


def queries(
    interactions: Interactions, vectors: Vectors, end: int, *, most_users: int, rng: np.random.Generator
) -> list[Query]:
    """One query for each listener with a history before the vectors' cutoff and something new after it.

    Args:
        interactions: all plays.
        vectors: of the moment that is asked about, their cutoff.
        end: µs since 1970 UTC; plays from there on are not looked at.
        most_users: more listeners than this are sampled.
        rng: of the sample.
    """
    history, news = interactions.heard_and_new(vectors.cutoff, end)
    users = np.array([user for user, tracks in news.items() if len(tracks)], dtype=np.int64)
    if len(users) > most_users:
        users = np.sort(rng.choice(users, most_users, replace=False))
    recent = popularity.fit(interactions, vectors.cutoff, days=POPULAR_DAYS)
    return [
        Query(user, candidates(vectors, recent, user, history[user]), news[user], history[user])
        for user in users.tolist()
    ]


def candidates(vectors: Vectors, recent: np.ndarray, user: int, seen: np.ndarray) -> np.ndarray:
    """Tracks to rank for one listener, each once, in order of their number."""
    nearest = rank_all(vectors.track @ vectors.user[user], seen, NEAREST)
    popular = rank_all(recent, seen, POPULAR)
    return np.union1d(nearest, popular[recent[popular] > 0])


def spine(interactions: Interactions, vectors: Vectors, asked: list[Query], platform: str) -> pl.DataFrame:
    """One row per query and candidate, stamped with the vectors' cutoff: keys, ``query``, ``label``."""
    sizes = [len(query.candidates) for query in asked]
    users = np.repeat([query.user for query in asked], sizes)
    tracks = np.concatenate([query.candidates for query in asked]) if asked else np.empty(0, np.int64)
    labels = [np.isin(query.candidates, query.relevant) for query in asked]
    return pl.DataFrame(
        {
            "user_id": pl.Series(interactions.user_ids, dtype=pl.String).gather(users),
            "track_id": pl.Series(interactions.track_ids, dtype=pl.String).gather(tracks),
            "artist_id": pl.Series(interactions.artist_ids, dtype=pl.String).gather(tracks),
            "platform_id": pl.repeat(platform, len(tracks), eager=True),
            "event_timestamp": pl.repeat(vectors.cutoff, len(tracks), dtype=pl.Int64, eager=True).cast(
                MICROSECONDS_UTC
            ),
            "query": users,
            "track": tracks,
            "label": np.concatenate(labels) if labels else np.empty(0, bool),
        }
    )
