"""Simulated plays, day by day: sessions, choices of tracks, skips, late and repeated events.

A listener opens a session (more often at weekends and in the evening) in a context, on a device and with one scene.
Each play is a track of a favourite artist or of the session's scene, drawn by its appeal that day. Tracks that match
the taste are skipped less often. Some events arrive late, some twice.
"""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import polars as pl

from feature_repo.definitions.on_demand.request_context import DEVICES
from transforms.raw.ingest import Batch
from transforms.raw.simulate.world import FADING, World
from transforms.raw.table import MICROSECONDS_UTC

MEAN_SESSION = 8.0
LATE, TWICE = 0.02, 0.01
_CONTEXTS = ("library", "playlist", "radio", "search", "album", "autoplay")
_CONTEXT_SHARE = (0.25, 0.3, 0.15, 0.1, 0.1, 0.1)
_DEVICE_SHARE = (0.5, 0.2, 0.1, 0.05, 0.1, 0.05)
_WEEKDAY = np.array([0.9, 0.9, 0.95, 1.0, 1.15, 1.25, 1.1])
_HOUR = np.array([2, 1, 1, 1, 1, 2, 4, 6, 7, 6, 5, 5, 6, 6, 6, 6, 7, 8, 9, 9, 9, 8, 6, 4], float)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND


def listen(world: World, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield one batch of plays per day."""
    size = world.size
    expected = _expected_plays(world)
    for day in range(size.days):
        yield Batch("plays", _one_day(world, day, expected[day], rng), done=day + 1, total=size.days)


def _expected_plays(world: World) -> np.ndarray:
    """(days, users) expected numbers of plays; the sum is ``size.plays`` before duplicates."""
    size = world.size
    weekdays = np.array([(size.start + timedelta(days=day)).weekday() for day in range(size.days)])
    present = np.arange(size.days)[:, None] >= world.user_signup
    fading = np.clip((world.user_leaves - np.arange(size.days)[:, None]) / FADING, 0, 1)
    weight = _WEEKDAY[weekdays][:, None] * world.user_activity * present * fading
    return weight * (size.plays / weight.sum())


def _one_day(world: World, day: int, expected: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    sessions = rng.poisson(expected / MEAN_SESSION)
    session_user = np.repeat(np.arange(len(sessions)), sessions)
    lengths = rng.geometric(1 / MEAN_SESSION, len(session_user))
    session_scene = _draw_rows(world.user_taste[session_user], rng)
    session_start = (
        rng.choice(24, len(session_user), p=_HOUR / _HOUR.sum()) * 3_600 + rng.integers(3_600, size=len(session_user))
    ) * _SECOND
    context = rng.choice(len(_CONTEXTS), len(session_user), p=_CONTEXT_SHARE)
    device = rng.choice(len(DEVICES), len(session_user), p=_DEVICE_SHARE)

    session = np.repeat(np.arange(len(session_user)), lengths)
    user = session_user[session]
    track = _choose(world, day, user, session_scene[session], rng)
    skipped = rng.random(len(user)) < _skip_probability(world, user, track, context[session])
    length = world.track_ms[track]
    ms_played = np.where(skipped, (length * rng.beta(1, 6, len(user))).astype(np.int64), length)

    first = np.cumsum(lengths) - lengths
    elapsed = np.cumsum(ms_played + 1_500) - (ms_played + 1_500)
    start_in_day = session_start[session] + (elapsed - np.repeat(elapsed[first], lengths)) * 1_000
    inside = start_in_day < _DAY  # a session ends with its day, so that a day's file is one batch
    midnight = int(world.size.start.timestamp()) * _SECOND + day * _DAY
    event = midnight + start_in_day
    created = event + ms_played * 1_000 + rng.integers(0, 5 * _SECOND, len(user))
    late = rng.random(len(user)) < LATE
    created = created + np.where(late, (rng.exponential(1.0, len(user)) * _DAY).astype(np.int64), 0)

    rows = pl.DataFrame(
        {
            "user_id": world.users["user_id"].gather(user),
            "track_id": world.tracks["track_id"].gather(track),
            "artist_id": world.tracks["artist_id"].gather(track),
            "event_timestamp": pl.Series(event).cast(MICROSECONDS_UTC),
            "created_timestamp": pl.Series(created).cast(MICROSECONDS_UTC),
            "ms_played": ms_played,
            "skipped": skipped,
            "context": pl.Series(_CONTEXTS).gather(context[session]),
            "device": pl.Series(DEVICES).gather(device[session]),
        }
    ).filter(pl.Series(inside))
    twice = rows.filter(pl.Series(rng.random(rows.height) < TWICE))
    repeated = twice.with_columns(created_timestamp=pl.col("created_timestamp") + pl.duration(hours=1))
    return pl.concat([rows, repeated])


def _draw_rows(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one index from each row of weights; each row adds up to 1."""
    drawn = (np.cumsum(weights, axis=1) < rng.random(len(weights))[:, None]).sum(axis=1)
    return np.minimum(drawn, weights.shape[1] - 1)


def _choose(world: World, day: int, user: np.ndarray, scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a track for each play, by its appeal on that day within a favourite artist or the session's scene."""
    cumulative = np.concatenate([[0.0], np.cumsum(world.track_appeal[day])])
    artist_numbers = np.arange(world.size.artists + 1)
    artist_first = np.searchsorted(world.track_artist, artist_numbers)
    scene_first = np.searchsorted(world.artist_scene[world.track_artist], np.arange(len(world.scene_genre) + 1))

    rank = np.minimum(rng.geometric(0.25, len(user)) - 1, world.user_favourites.shape[1] - 1)
    artist = world.user_favourites[user, rank]
    plays_favourite = rng.random(len(user)) < world.user_loyalty[user]
    low = np.where(plays_favourite, cumulative[artist_first[artist]], cumulative[scene_first[scene]])
    high = np.where(plays_favourite, cumulative[artist_first[artist + 1]], cumulative[scene_first[scene + 1]])
    is_empty = high <= low  # no track of the artist or scene is released yet: draw from all tracks
    low, high = np.where(is_empty, 0.0, low), np.where(is_empty, cumulative[-1], high)
    point = low + rng.random(len(user)) * (high - low)
    return np.clip(np.searchsorted(cumulative, point, side="right") - 1, 0, world.size.tracks - 1)


def _skip_probability(world: World, user: np.ndarray, track: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Probability of a skip: lower for liked scenes and good tracks, higher in passive contexts (radio, autoplay)."""
    liking = world.user_taste[user, world.artist_scene[world.track_artist[track]]]
    is_passive = np.isin(context, [_CONTEXTS.index("radio"), _CONTEXTS.index("autoplay")])
    logit = 0.6 - 2.5 * world.track_quality[track] - 2.0 * np.sqrt(liking) + 0.6 * is_passive
    return 1 / (1 + np.exp(-logit))
