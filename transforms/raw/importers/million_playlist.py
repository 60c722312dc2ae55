"""Million Playlist Dataset (Spotify, 2018): playlists and their tracks, with the day of each playlist's last change.

Nobody is known to have heard the tracks, so there are no plays and no listeners: tracks, artists, ``playlists`` and
``playlist_entries`` are stored. Tracks have Spotify's ids, so that they are those of Spotify's histories. As there, an
artist is identified by the name.
"""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import polars as pl

from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.records import first_object, records
from transforms.raw.files.rows import Malformed
from transforms.raw.files.times import read_times
from transforms.raw.importers.format import Format
from transforms.raw.ingest import Batch
from transforms.raw.validate import QUARANTINE

PREFIX = "mpd:"
PLAYLISTS_AT_ONCE = 1_000
_FITS = msgspec.Meta(ge=-(2**62), le=2**62)


class Track(msgspec.Struct, gc=False):
    """A track in a playlist."""

    track_uri: str
    pos: Annotated[int, _FITS] | None = None
    track_name: str | None = None
    artist_name: str | None = None
    duration_ms: Annotated[int, _FITS] | None = None


class Playlist(msgspec.Struct, gc=False):
    """A playlist; the challenge set has some without a name, and none with a day."""

    pid: int
    tracks: list[Track]
    modified_at: Annotated[int, _FITS] | None = None
    name: str | None = None
    description: str | None = None
    collaborative: str | bool | None = None
    num_followers: Annotated[int, _FITS] | None = None
    num_edits: Annotated[int, _FITS] | None = None


def read(path: Path) -> Iterator[Batch | PassedOver]:
    """Yields the playlists of every slice, and the tracks and artists that are named in them."""
    yield from MILLION_PLAYLIST.each_member(path, _read_slice, _why_not)


def _why_not(member: Member) -> str:
    if member.file_name.startswith("mpd.slice."):
        return ""
    if not member.file_name.lower().endswith(".json"):
        return describe(member)
    first = first_object(member)
    playlists = first.get("playlists")
    return "" if isinstance(playlists, list) and _is_slice(first, playlists) else describe(member)


def _is_slice(first: dict[str, Any], playlists: list[Any]) -> bool:
    return "info" in first or any(isinstance(item, dict) and "pid" in item for item in playlists[:1])


def _read_slice(member: Member) -> Iterator[Batch]:
    for batch in records(member, "playlists", shape=Playlist, size=PLAYLISTS_AT_ONCE):
        yield from _batches(batch.rows, batch.malformed, batch.done)


def _batches(playlists: Sequence[Playlist], malformed: Sequence[Malformed], done: float) -> Iterator[Batch]:
    times = read_times(pl.Series([item.modified_at for item in playlists], dtype=pl.Int64, strict=False)).values
    dated = [(item, time) for item, time in zip(playlists, times, strict=True) if time is not None]
    undated = [
        Malformed("no day of the last change", f'{{"pid": {item.pid}}}')
        for item, time in zip(playlists, times, strict=True)
        if time is None
    ]
    entries = pl.DataFrame(
        [
            (f"{PREFIX}{item.pid}", n if track.pos is None else track.pos, *_columns_of(track), time)
            for item, time in dated
            for n, track in enumerate(item.tracks)
        ],
        schema=_ENTRIES,
        orient="row",
    ).with_columns(artist_id=pl.lit("spotify:artist:") + pl.col("artist_name"))
    by_time = entries.sort("event_timestamp", maintain_order=True)
    artists = by_time.drop_nulls("artist_id").unique("artist_id", keep="first", maintain_order=True)
    tracks = by_time.unique("track_id", keep="first", maintain_order=True)
    named = ["track_id", "artist_id", "artist_name", "title", "duration_ms", "event_timestamp"]
    yield Batch("artists", artists.select("artist_id", "event_timestamp", name="artist_name"), done=done)
    yield Batch("tracks", tracks.select(named), done=done)
    rows = pl.DataFrame([_row(item, time) for item, time in dated], schema=_PLAYLISTS, orient="row")
    refused = pl.DataFrame([*malformed, *undated], schema=QUARANTINE, orient="row")
    yield Batch("playlists", rows, refused, done)
    placed = ["playlist_id", "position", "track_id", "artist_id", "event_timestamp"]
    yield Batch("playlist_entries", entries.select(placed), done=done)


_TIME = pl.Datetime("us", "UTC")
_ENTRIES: dict[str, pl.DataType] = {
    "playlist_id": pl.String(),
    "position": pl.Int64(),
    "track_id": pl.String(),
    "title": pl.String(),
    "artist_name": pl.String(),
    "duration_ms": pl.Int64(),
    "event_timestamp": _TIME,
}
_PLAYLISTS: dict[str, pl.DataType] = {
    "playlist_id": pl.String(),
    "name": pl.String(),
    "description": pl.String(),
    "collaborative": pl.Boolean(),
    "followers": pl.Int64(),
    "edits": pl.Int64(),
    "tracks": pl.Int64(),
    "event_timestamp": _TIME,
}


def _columns_of(track: Track) -> tuple[Any, ...]:
    return track.track_uri, track.track_name or None, track.artist_name or None, track.duration_ms


def _row(item: Playlist, time: Any) -> tuple[Any, ...]:
    return (
        f"{PREFIX}{item.pid}",
        html.unescape(item.name) if item.name else None,
        html.unescape(item.description) if item.description else None,
        None if item.collaborative is None else str(item.collaborative).lower() == "true",
        item.num_followers,
        item.num_edits,
        len(item.tracks),
        time,
    )


MILLION_PLAYLIST = Format(
    "million-playlist",
    "the Million Playlist Dataset: its zip, a folder with mpd.slice.….json, or one of these files",
    read,
)
