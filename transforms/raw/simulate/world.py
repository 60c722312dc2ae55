"""The listeners, artists and tracks of a simulated world, with their ground truth.

Every artist belongs to one of ``SCENES`` scenes, each of one genre; a listener likes a few scenes. This is the
structure that a recommender has to find; genres alone do not reveal it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from transforms.raw.ingest import Batch

GENRES = (
    "pop",
    "rock",
    "hip-hop",
    "electronic",
    "jazz",
    "classical",
    "folk",
    "metal",
    "r&b",
    "latin",
    "ambient",
    "country",
)
SCENES = 40
COUNTRIES = ("US", "DE", "BR", "GB", "JP", "FR", "MX", "SE", "IN", "NG")
_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ra",
    "ven",
    "tor",
    "el",
    "sha",
    "no",
    "ri",
    "du",
    "sel",
    "an",
    "bo",
    "qui",
    "zan",
)
RESTRICTED, TAKEN_DOWN = 0.03, 0.005
"""Share of the tracks that may be played in four countries only, and share that may be played nowhere any more."""
_FAVOURITES = 12
FADING = 14
DEFAULT_START = datetime(2026, 1, 1, tzinfo=UTC)


OLDEST = timedelta(days=3_650)
"""Age of the artists on the first day of a world."""


@dataclass(frozen=True)
class Size:
    """The size of a simulated world: numbers of users, tracks, days and plays, and the first day."""

    users: int = 2_000
    tracks: int = 5_000
    days: int = 60
    plays: int = 1_000_000
    start: datetime = DEFAULT_START

    @property
    def artists(self) -> int:
        """Number of artists: one per ten tracks, at least one per scene."""
        return max(SCENES, self.tracks // 10)


@dataclass(frozen=True)
class World:
    """A drawn world. Tracks are sorted by scene and artist, so that both are ranges of track numbers.

    Attributes:
        size: numbers of users, tracks, days and plays.
        scene_genre: (scenes,) genre of each scene.
        artist_scene: (artists,) scene of each artist.
        track_artist: (tracks,) artist of each track.
        track_quality: (tracks,) 0–1; good tracks are skipped less often.
        track_appeal: (days, tracks) weight in the choice of tracks; 0 before the release.
        track_release: (tracks,) day of release, counted from the start; negative if before.
        track_ms: (tracks,) length in milliseconds.
        user_taste: (users, scenes) share of each scene in the taste of a listener.
        user_favourites: (users, k) favourite artists, best first.
        user_activity: (users,) relative number of plays.
        user_signup: (users,) day of sign-up, counted from the start; negative if before.
        user_loyalty: (users,) share of plays that are of favourite artists.
        user_leaves: (users,) day of the last play, counted from the start; beyond the end for listeners who stay.
            Activity falls linearly in the ``FADING`` days before.
        users: rows of the raw table of users.
        artists: rows of the raw table of artists.
        tracks: rows of the raw table of tracks, without artist names.
    """

    size: Size
    scene_genre: np.ndarray
    artist_scene: np.ndarray
    track_artist: np.ndarray
    track_quality: np.ndarray
    track_appeal: np.ndarray
    track_release: np.ndarray
    track_ms: np.ndarray
    user_taste: np.ndarray
    user_favourites: np.ndarray
    user_activity: np.ndarray
    user_signup: np.ndarray
    user_loyalty: np.ndarray
    user_leaves: np.ndarray
    users: pl.DataFrame
    artists: pl.DataFrame
    tracks: pl.DataFrame


def draw(size: Size, rng: np.random.Generator) -> World:
    """Draw a world of the given size."""
    scene_genre = np.arange(SCENES) % len(GENRES)
    artist_scene = np.sort(rng.integers(SCENES, size=size.artists))
    fame = rng.lognormal(0.0, 1.0, size.artists)
    track_artist = np.sort(rng.choice(size.artists, size=size.tracks, p=fame**0.3 / (fame**0.3).sum()))
    quality = rng.beta(5, 2, size.tracks)
    release = _release_days(size, rng)
    appeal = _appeal(size, fame[track_artist] * rng.lognormal(0, 0.9, size.tracks), release, rng)
    taste = rng.dirichlet(np.full(SCENES, 0.08), size.users)
    signup = np.where(
        rng.random(size.users) < 0.15,
        rng.integers(0, max(1, size.days - 5), size.users),
        -rng.integers(1, 700, size.users),
    )
    track_ms = (rng.normal(210, 45, size.tracks).clip(60, 600) * 1_000).astype(np.int64)
    return World(
        size=size,
        scene_genre=scene_genre,
        artist_scene=artist_scene,
        track_artist=track_artist,
        track_quality=quality,
        track_appeal=appeal,
        track_release=release,
        track_ms=track_ms,
        user_taste=taste,
        user_favourites=_favourites(taste, artist_scene, fame, rng),
        user_activity=rng.lognormal(0, 0.8, size.users),
        user_signup=signup,
        user_loyalty=rng.beta(3, 4, size.users),
        user_leaves=_leaving_days(size, signup, rng),
        users=_users(size, signup, rng),
        artists=_artists(size, rng),
        tracks=_tracks(size, track_artist, artist_scene, scene_genre, release, track_ms, rng),
    )


def catalogue(world: World) -> list[Batch]:
    """Batches of artists, tracks (with artist names) and users for the raw tables."""
    names = world.artists.select("artist_id", artist_name="name")
    tracks = world.tracks.join(names, on="artist_id", how="left", maintain_order="left")
    return [Batch("artists", world.artists), Batch("tracks", tracks), Batch("users", world.users)]


def truth(world: World) -> dict[str, pl.DataFrame]:
    """Ground truth of a world: tastes of users, scenes and qualities of tracks."""
    scenes = world.artist_scene[world.track_artist]
    return {
        "users": pl.DataFrame(
            {
                "user_id": world.users["user_id"],
                "taste": world.user_taste,
                "loyalty": world.user_loyalty,
                "activity": world.user_activity,
                "leaves": world.user_leaves,
            }
        ),
        "tracks": pl.DataFrame({"track_id": world.tracks["track_id"], "scene": scenes, "quality": world.track_quality}),
    }


def _release_days(size: Size, rng: np.random.Generator) -> np.ndarray:
    """Draw days of release: one track in ten within the simulated days, the others before."""
    is_new = rng.random(size.tracks) < 0.10
    return np.where(
        is_new, rng.integers(0, size.days, size.tracks), -(rng.exponential(900, size.tracks).astype(int) + 1)
    )


def _leaving_days(size: Size, signup: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw days of leaving: one listener in eight leaves."""
    first = np.maximum(signup, 0) + 1
    return np.where(rng.random(size.users) < 0.125, rng.integers(first, size.days + FADING), size.days + FADING)


def _appeal(size: Size, base: np.ndarray, release: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Track weights by day: a slow random walk, a burst after the release that fades within weeks, 0 before it."""
    steps = rng.normal(0, 0.06, (size.days, size.tracks)).cumsum(axis=0)
    age = np.arange(size.days)[:, None] - release
    burst = 1 + 6 * np.exp(-np.maximum(age, 0) / 10)
    return np.where(age >= 0, base * np.exp(steps) * burst, 0.0)


def _favourites(taste: np.ndarray, artist_scene: np.ndarray, fame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw artists by taste for their scene times fame, without repetition (Gumbel top-k), best first."""
    weight = np.log(taste[:, artist_scene] + 1e-9) + np.log(fame)
    noise = rng.gumbel(size=weight.shape)
    return np.argsort(-(weight + noise), axis=1, kind="stable")[:, :_FAVOURITES]


def _day(size: Size, days: np.ndarray) -> list[datetime]:
    return [size.start + timedelta(days=int(day)) for day in days]


def _users(size: Size, signup: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": [f"u{number:06}" for number in range(size.users)],
            "country": rng.choice(COUNTRIES, size.users),
            "birth_year": rng.integers(1950, 2012, size.users),
            "gender": rng.choice(["f", "m", "x"], size.users, p=[0.48, 0.48, 0.04]),
            "plan": rng.choice(["free", "premium", "family"], size.users, p=[0.5, 0.35, 0.15]),
            "event_timestamp": _day(size, signup),
        }
    )


def _artists(size: Size, rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "artist_id": [f"a{number:05}" for number in range(size.artists)],
            "name": _names(size.artists, rng),
            "event_timestamp": [size.start - OLDEST] * size.artists,
        }
    )


def _tracks(
    size: Size,
    track_artist: np.ndarray,
    artist_scene: np.ndarray,
    scene_genre: np.ndarray,
    release: np.ndarray,
    track_ms: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    released = _day(size, release)
    genres = scene_genre[artist_scene[track_artist]]
    rights = rng.spawn(1)[0]
    is_restricted = rights.random(size.tracks) < RESTRICTED
    return pl.DataFrame(
        {
            "track_id": [f"t{number:06}" for number in range(size.tracks)],
            "artist_id": [f"a{number:05}" for number in track_artist],
            "title": _names(size.tracks, rng),
            "genres": [[GENRES[genre]] for genre in genres],
            "duration_ms": track_ms,
            "explicit": rng.random(size.tracks) < 0.12,
            "released": released,
            "available": rights.random(size.tracks) >= TAKEN_DOWN,
            "regions": [
                sorted(rights.choice(COUNTRIES, 4, replace=False).tolist()) if restricted else None
                for restricted in is_restricted
            ],
            "event_timestamp": released,
        }
    )


def _names(count: int, rng: np.random.Generator) -> list[str]:
    syllables = rng.integers(len(_SYLLABLES), size=(count, 4))
    lengths = rng.integers(2, 5, size=count)
    return [
        "".join(_SYLLABLES[index] for index in row[:length]).capitalize()
        for row, length in zip(syllables, lengths, strict=True)
    ]
