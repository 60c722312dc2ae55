"""Spotify's "extended streaming history", as every account can ask for it.

A folder, a zip or single JSON files (``Streaming_History_Audio_*.json``, formerly ``endsong_*.json``), each an array
of plays. ``ts`` is the moment when a play *ended*: its event time is ``ms_played`` earlier, its created time ``ts``.
The export names tracks by URI and artists by name. Addresses and locations are not read. Podcasts and videos are not
tracks and go to quarantine.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import ijson
import polars as pl

from feature_repo.errors import InputError
from transforms.raw.importers.format import BATCH_ROWS, USER, Format, Rows, opened
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC

_PLAYS = {
    "user_id": pl.String(),
    "track_id": pl.String(),
    "artist_id": pl.String(),
    "ms_played": pl.Int64(),
    "skipped": pl.Boolean(),
    "context": pl.String(),
    "device": pl.String(),
    "event_timestamp": MICROSECONDS_UTC,
    "created_timestamp": MICROSECONDS_UTC,
}
_TRACKS = {
    "track_id": pl.String(),
    "artist_id": pl.String(),
    "artist_name": pl.String(),
    "title": pl.String(),
    "event_timestamp": MICROSECONDS_UTC,
}
_ARTISTS = {"artist_id": pl.String(), "name": pl.String(), "event_timestamp": MICROSECONDS_UTC}
_USERS = {"user_id": pl.String(), "country": pl.String(), "event_timestamp": MICROSECONDS_UTC}

_DEVICES = {
    "phone": ("android", "ios", "iphone"),
    "web": ("web_player", "webplayer"),
    "tv": ("tv", "playstation", "xbox"),
    "car": ("car",),
    "speaker": ("cast", "sonos", "speaker", "echo"),
    "desktop": ("windows", "osx", "os x", "macos", "linux"),
}
_CONTEXTS = {"trackdone": "autoplay", "clickrow": "library", "playbtn": "library", "appload": "library"}


def read(path: Path, *, user: str | None = None, incognito: bool = False) -> Iterator[Batch]:
    """Yield the plays file after file, ordered by name."""
    names = _members(SPOTIFY.check(path))
    if not names:
        raise SPOTIFY.mismatch(f"no JSON file of a streaming history in {path}")
    seen: set[str] = set()
    for index, name in enumerate(names):
        yield from _file(path, name, seen, index, len(names))


def _members(path: Path) -> list[str]:
    if path.is_dir():
        return sorted(str(file.relative_to(path)) for file in path.rglob("*.json*") if _is_history(file.name))
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return sorted(name for name in archive.namelist() if _is_history(Path(name).name))
    return [path.name]


def _is_history(name: str) -> bool:
    return name.startswith(("Streaming_History_", "endsong")) and ".json" in name


@contextmanager
def _member(path: Path, name: str) -> Iterator[IO[bytes]]:
    if path.is_dir() or not zipfile.is_zipfile(path):
        with opened(path / name if path.is_dir() else path, SPOTIFY) as (handle, _position):
            yield handle
    else:
        with zipfile.ZipFile(path) as archive, archive.open(name) as handle:
            yield handle


def _file(path: Path, name: str, seen: set[str], index: int, files: int) -> Iterator[Batch]:
    tables = {
        "artists": Rows("artists", _ARTISTS),
        "tracks": Rows("tracks", _TRACKS),
        "users": Rows("users", _USERS),
        "plays": Rows("plays", _PLAYS),
    }
    count = 0
    with _member(path, name) as handle:
        try:
            for record in ijson.items(handle, "item"):
                if count == 0 and not (isinstance(record, dict) and "ts" in record):
                    raise SPOTIFY.mismatch(f"{name} holds no plays with a `ts`")
                count += 1
                _record(record, tables, seen)
                if count % BATCH_ROWS == 0:
                    yield from (rows.flush(index, files) for rows in tables.values())
        except ijson.JSONError as error:
            yield from (rows.flush(index, files) for rows in tables.values())
            raise InputError(
                expected=f"a whole JSON array in {name}",
                found=f"{error} after {count:,} plays".replace("\n", " "),
                next_command=f"get the export again, then: python -m transforms import spotify {path}",
            ) from error
    yield from (rows.flush(index + 1, files) for rows in tables.values())


def _record(record: dict[str, Any], tables: dict[str, Rows], seen: set[str]) -> None:
    plays = tables["plays"]
    track, title = record.get("spotify_track_uri"), record.get("master_metadata_track_name")
    if not track:
        plays.refuse("not a track (a podcast or video)", _summary(record))
        return
    try:
        ended = datetime.fromisoformat(record["ts"]).replace(tzinfo=UTC)
        played = int(record.get("ms_played") or 0)
    except (KeyError, TypeError, ValueError):
        plays.refuse("ts or ms_played cannot be read", _summary(record))
        return
    user = f"spotify:{record.get('username') or 'me'}"
    name = record.get("master_metadata_album_artist_name")
    artist = f"spotify:artist:{name}" if name else None
    started = ended - timedelta(milliseconds=max(played, 0))
    reason = record.get("reason_start")
    skipped = record.get("skipped")
    plays.rows.append(
        (
            user,
            track,
            artist,
            played,
            bool(skipped) if skipped is not None else record.get("reason_end") == "fwdbtn",
            _CONTEXTS.get(reason or "", reason),
            _device(record.get("platform")),
            started,
            ended,
        )
    )
    if track not in seen:
        seen.add(track)
        tables["tracks"].rows.append((track, artist, name, title, started))
    if artist and artist not in seen:
        seen.add(artist)
        tables["artists"].rows.append((artist, name, started))
    if user not in seen:
        seen.add(user)
        tables["users"].rows.append((user, record.get("conn_country"), started))


def _device(platform: str | None) -> str | None:
    text = (platform or "").lower()
    return next((name for name, signs in _DEVICES.items() if any(sign in text for sign in signs)), platform)


def _summary(record: dict[str, Any]) -> str:
    fields = ("ts", "ms_played", "spotify_track_uri", "master_metadata_track_name", "episode_name")
    return str(
        {key: float(value) if isinstance(value, Decimal) else value for key, value in record.items() if key in fields}
    )


SPOTIFY = Format(
    "spotify",
    "a folder, zip or JSON file of Spotify's extended streaming history (Streaming_History_Audio_….json)",
    read,
    options=USER | {"incognito": "plays of private sessions too, which are otherwise left out"},
)
