"""Scrobbles as JSON: pages of Last.fm's API (``user.getRecentTracks``), and what tools make of them.

One page or an array of pages (lastfm.ghan.nl), an array or lines of tracks, plain or extended, and the export of
lastfmstats.com. A page with one track has an object in the place of the list. The track that plays now comes first,
without a date.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.records import records, value_at
from transforms.raw.importers.scrobbles import precision, scrobble_batches, started
from transforms.raw.ingest import Batch

_PLACES = ("recenttracks.track", "track", "scrobbles")
_SIGNS = ({"recenttracks"}, {"@attr", "track"}, {"username", "scrobbles"}, {"artist", "name"}, {"artist", "track"})
_FILE_NAME = re.compile(r"(?:recenttracks|scrobbles|lastfmstats)-(.+?)(?:-\d{9,})?(?: ?\(\d+\))?")


class _Words(msgspec.Struct, gc=False):
    text: str | None = msgspec.field(default=None, name="#text")
    name: str | None = None
    uts: str | int | float | None = None


class _Attributes(msgspec.Struct, gc=False):
    nowplaying: str | bool | None = None


class _Item(msgspec.Struct):
    """A track, or a page of tracks."""

    artist: _Words | str | None = None
    name: str | None = None
    title: str | None = None
    track: "list[_Item] | _Item | str | None" = None
    date: _Words | str | int | float | None = None
    uts: str | int | float | None = None
    timestamp: str | int | float | None = None
    time_ms: int | None = msgspec.field(default=None, name="timeMs")
    attributes: _Attributes | None = msgspec.field(default=None, name="@attr")
    recenttracks: "_Item | None" = None


def is_pages(first: dict[str, Any]) -> bool:
    """Whether the first object of a file is a track, or a page of tracks.

    >>> is_pages({"recenttracks": {"track": []}}), is_pages({"playlists": []})
    (True, False)
    """
    return "maloja" not in first and any(signs <= first.keys() for signs in _SIGNS)


def listener_of_pages(member: Member, first: dict[str, Any]) -> str:
    """The name of the listener in the first page, or in the name of the file; empty if there is none."""
    named = [value_at(first, place) for place in ("recenttracks.@attr.user", "@attr.user", "username")]
    by_file = named_by_file(member.stem)
    return next((name for name in named if isinstance(name, str) and name), by_file)


def named_by_file(stem: str) -> str:
    """The name of the listener that tools put in the name of a file; empty if there is none.

    >>> named_by_file("recenttracks-mira_made_up-1717200000"), named_by_file("scrobbles")
    ('mira_made_up', '')
    """
    match = _FILE_NAME.fullmatch(stem)
    return match[1] if match else ""


def read_pages(member: Member, listener: str) -> Iterator[Batch]:
    """Yields the plays of a file of tracks, or of pages of tracks."""
    for batch in records(member, *_PLACES, shape=_Item):
        tracks = list(_tracks(batch.rows))
        times = pl.Series([_time(track) for track in tracks], dtype=pl.String)
        rows = pl.DataFrame(
            {
                "user_id": pl.Series([listener] * len(tracks), dtype=pl.String),
                "artist": pl.Series([_artist(track) for track in tracks], dtype=pl.String),
                "title": pl.Series([_title(track) for track in tracks], dtype=pl.String),
                "time": times,
                "started": started(times),
            }
        ).with_columns(precision_s=precision("time"))
        yield from scrobble_batches(rows, "lastfm", "last.fm", batch.malformed, done=batch.done)


def _tracks(items: Iterable[_Item]) -> Iterator[_Item]:
    for item in items:
        inner = item.recenttracks.track if item.recenttracks else item.track
        if isinstance(inner, list):
            yield from inner
        elif isinstance(inner, _Item):
            yield inner
        else:
            yield item


def _artist(track: _Item) -> str | None:
    return (track.artist.text or track.artist.name) if isinstance(track.artist, _Words) else track.artist


def _title(track: _Item) -> str | None:
    return track.name or (track.track if isinstance(track.track, str) else None) or track.title


def _time(track: _Item) -> str | None:
    if track.attributes and str(track.attributes.nowplaying).lower() == "true":
        return None
    date = (track.date.uts or track.date.text) if isinstance(track.date, _Words) else track.date
    value = next((value for value in (date, track.uts, track.timestamp, track.time_ms) if value is not None), None)
    return None if value is None else str(value)
