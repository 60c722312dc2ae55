"""Spotify: the account data (short form, last year) and the extended streaming history (all of an account's life).

A file, a folder or a zip, nested too; the form of each file is recognized by its fields, whatever its name. Times are
those when a stream *ended*: the event time is ``ms_played`` earlier, the created time the end. The short form cuts
them to minutes, and has no ids of tracks: theirs are made of the names. A track of a video is a play like another;
episodes of podcasts and chapters of audiobooks go to ``episode_plays``. Addresses and agents are not read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from feature_repo.home import Home
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.files.records import records
from transforms.raw.files.rows import Malformed
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.listening import played_batches
from transforms.raw.importers.spotify_listeners import PREFIX, Export, exports_of, listeners, place_of
from transforms.raw.importers.spotify_streams import ExtendedStream, ShortStream, Stream, streams
from transforms.raw.ingest import Batch
from transforms.raw.validate import QUARANTINE

_REPORTED_BY: dict[type[Stream], str] = {
    ExtendedStream: "spotify extended history",
    ShortStream: "spotify account data",
}
_PRECISION_S: dict[type[Stream], int | None] = {ExtendedStream: None, ShortStream: 60}
_PRIVATE = "of private sessions; with --incognito they are stored"
_STREAM = ["listener", "kind", "id", "ended", "ms_played"]


def read(
    path: Path, home: Home | None = None, *, user: str | None = None, incognito: bool = False
) -> Iterator[Batch | PassedOver]:
    """Yields the histories of a path, file after file.

    Args:
        path: file, folder or archive.
        home: the data folder, whose listeners an export without a name may be of; None if there is none.
        user: id of the listener; by default that of ``spotify_listeners``.
        incognito: whether plays of private sessions are read too.
    """
    listed = list(members(SPOTIFY.check(path)))
    exports = exports_of(path, listed)
    ids = listeners(path, home, exports, user, incognito=incognito)
    countries: dict[str, str] = {}

    def read_member(member: Member) -> Iterator[Batch]:
        place = place_of(member.name)
        yield from _read_history(member, exports[place], ids[place], user, incognito, countries)

    def why_not(member: Member) -> str:
        export = exports.get(place_of(member.name))
        return "" if export and member.name in export.histories else describe(member)

    yield from SPOTIFY.each_member(path, read_member, why_not, listed=listed)


def _read_history(
    member: Member, export: Export, id_: str, user: str | None, incognito: bool, countries: dict[str, str]
) -> Iterator[Batch]:
    _, shape = export.histories[member.name]
    for batch in records(member, shape=shape):
        frame, malformed = streams(batch.rows, shape, export.shows)
        private = frame["incognito"]
        left_out = {_PRIVATE: int(private.sum())} if private.any() and not incognito else {}
        if left_out:
            frame = frame.filter(~private)
        is_other = pl.lit(user is None) & (pl.col("username") != export.username)
        own = pl.lit(PREFIX) + pl.col("username")
        frame = frame.with_columns(listener=pl.when(is_other).then(own).otherwise(pl.lit(id_)))
        _note_countries(frame, countries)
        yield from _batches(frame, shape, [*batch.malformed, *malformed], left_out, countries, batch.done)


def _batches(
    frame: pl.DataFrame,
    shape: type[Stream],
    malformed: list[Malformed],
    left_out: dict[str, int],
    countries: dict[str, str],
    done: float,
) -> Iterator[Batch]:
    started = pl.col("ended") - pl.duration(milliseconds="ms_played")
    if shape is ShortStream:  # of which equal rows are several plays
        started = started - pl.duration(microseconds=pl.int_range(pl.len()).over(_STREAM))
    rows = frame.select(
        "kind",
        "id",
        "title",
        "by",
        "ms_played",
        "device",
        "skipped",
        "context",
        user_id="listener",
        country=pl.col("listener").replace_strict(countries, default=None, return_dtype=pl.String),
        event_timestamp=started,
        created_timestamp="ended",
        reported_by=pl.lit(_REPORTED_BY[shape]),
        precision_s=pl.lit(_PRECISION_S[shape], pl.Int64),
    )
    is_track = pl.col("kind") == "track"
    refused = pl.DataFrame([_public(row) for row in malformed], schema=QUARANTINE, orient="row")
    music = rows.filter(is_track).with_columns(
        track_id="id", artist_name="by", artist_id=pl.lit(f"{PREFIX}artist:") + pl.col("by")
    )
    others = rows.filter(~is_track).rename({"id": "episode_id", "by": "show"})
    yield from played_batches(music, refused, left_out=left_out, done=done)
    if others.height:
        yield Batch("episode_plays", others, done=done)


def _note_countries(frame: pl.DataFrame, countries: dict[str, str]) -> None:
    """Keeps the country of each listener's first play of the first file, so that journeys are no new profiles."""
    is_new = ~pl.col("listener").is_in(list(countries)) & pl.col("country").is_not_null()
    first = frame.filter(is_new).sort("ended").unique("listener", keep="first")
    countries.update(first.select("listener", "country").iter_rows())


_PUBLIC = re.compile(
    r'"(ts|ms_?[pP]layed|endTime|master_metadata_\w+|spotify_\w+_uri|episode_\w+|audiobook_\w+|artistName|trackName|'
    r'podcastName|episodeName|audiobookName|chapterName)"\s*:\s*("(?:[^"\\]|\\.)*"|[^\s,"}\]]+)'
)


def _public(malformed: Malformed) -> Malformed:
    """A damaged element without what is private in it: only the fields that are read remain."""
    fields = ", ".join(f'"{name}": {value}' for name, value in _PUBLIC.findall(malformed.row))
    return Malformed(malformed.reason, f"{{{fields}}}" if fields else "")


SPOTIFY = Format(
    "spotify",
    "Spotify's account data or extended streaming history: a zip as downloaded, a folder, or a JSON file",
    read,
    options=USER | {"incognito": "also store plays of private sessions, which are left out otherwise"},
)
