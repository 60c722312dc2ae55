"""The two forms of Spotify's histories as one frame of streams: music, episodes of podcasts, chapters of books."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Any
from urllib.parse import unquote_plus

import msgspec
import polars as pl

from feature_repo.definitions.events.plays import plays
from transforms.raw.files.members import Member
from transforms.raw.files.records import first_object
from transforms.raw.files.rows import Malformed
from transforms.raw.files.text import SHOWN
from transforms.raw.files.times import read_times
from transforms.raw.table import CLOCK_TOLERANCE, MICROSECONDS_UTC

LONGEST_MS: int = plays.ranges["ms_played"][1]
FOUNDED = datetime(2006, 1, 1, tzinfo=UTC)
_NAME = "spotify:name:"
_SKIPS = ("fwdbtn", "backbtn")
_DEVICES = {
    "tv": ("tv", "playstation", "ps3", "ps4", "ps5", "xbox", "roku"),
    "car": ("car_thing", "car-thing", "carthing", "android auto", "android_auto", "tesla", "carplay"),
    "speaker": ("cast", "sonos", "speaker", "echo", "alexa"),
    "web": ("web_player", "webplayer", "web player"),
    "phone": ("android", "ios", "iphone", "ipad"),
    "desktop": ("windows", "osx", "os x", "macos", "linux"),
}
_CONTEXTS = {"trackdone": "autoplay", "clickrow": "library", "playbtn": "library", "appload": "library"}


class ExtendedStream(msgspec.Struct, gc=False):
    """A stream of the extended history; what is private in it is not read."""

    ts: str | int | float | None = None
    ms_played: int | float | str | None = None
    username: str | None = None
    platform: str | None = None
    conn_country: str | None = None
    master_metadata_track_name: str | None = None
    master_metadata_album_artist_name: str | None = None
    spotify_track_uri: str | None = None
    episode_name: str | None = None
    episode_show_name: str | None = None
    spotify_episode_uri: str | None = None
    audiobook_title: str | None = None
    audiobook_chapter_uri: str | None = None
    audiobook_chapter_title: str | None = None
    reason_start: str | None = None
    reason_end: str | None = None
    skipped: bool | int | float | str | None = None
    incognito_mode: bool | int | float | str | None = None


class ShortStream(msgspec.Struct, gc=False):
    """A stream of the account data: of a track, of a podcast or of an audiobook."""

    endTime: str | int | float | None = None
    msPlayed: int | float | str | None = None
    artistName: str | None = None
    trackName: str | None = None
    podcastName: str | None = None
    episodeName: str | None = None
    audiobookName: str | None = None
    chapterName: str | None = None


Stream = ExtendedStream | ShortStream

STREAMS: dict[str, pl.DataType] = {
    "ended": MICROSECONDS_UTC,
    "ms_played": pl.Int64(),
    "username": pl.String(),
    "kind": pl.String(),
    "id": pl.String(),
    "title": pl.String(),
    "by": pl.String(),
    "country": pl.String(),
    "device": pl.String(),
    "context": pl.String(),
    "skipped": pl.Boolean(),
    "incognito": pl.Boolean(),
}
"""Columns of ``streams``: ``kind`` is track, episode or chapter; ``by`` the artist, the podcast or the book."""

_SHAPES: dict[type[Stream], frozenset[str]] = {
    ExtendedStream: frozenset({"ms_played", "master_metadata_track_name", "spotify_track_uri"}),
    ShortStream: frozenset({"msPlayed", "endTime"}),
}


_OF_TRACKS = ("spotify_track_uri", "master_metadata_track_name", "master_metadata_album_artist_name")
_OF_OTHERS = tuple(
    name for name in ExtendedStream.__struct_fields__ if name.startswith(("episode", "spotify_episode", "audiobook"))
)


def shape_of(member: Member) -> type[Stream] | None:
    """The form of a history, by the fields of its first object; None if it is none."""
    fields = set(first_object(member))
    return next((shape for shape, signs in _SHAPES.items() if fields & signs), None)


def streams(rows: Sequence[Stream], shape: type[Stream], shows: frozenset[str]) -> tuple[pl.DataFrame, list[Malformed]]:
    """The streams of a history, and the rows that are none.

    Args:
        rows: elements of the file, in its order.
        shape: the form of the history.
        shows: names of podcasts, which old account data does not tell from artists.

    Returns:
        (rows that can be read, columns of ``STREAMS``), and the others with a reason.
    """
    frame = _extended(rows) if shape is ExtendedStream else _short(rows, shows)
    latest = datetime.now(UTC) + CLOCK_TOLERANCE
    ms = pl.col("ms_played")
    reasons = {
        "no time": pl.col("ended").is_null(),
        "in the future": pl.col("ended") > latest,
        "before Spotify was founded": pl.col("ended") < FOUNDED,
        "no length": ms.is_null(),
        "negative length": ms < 0,
        "impossible length": ms > LONGEST_MS,
        "names nothing played": pl.col("kind").is_null(),
    }
    reason = pl.coalesce(pl.when(is_broken).then(pl.lit(why)) for why, is_broken in reasons.items())
    refused = frame.select(reason.alias("reason")).to_series()
    if refused.null_count() == len(refused):
        return frame, []
    malformed = [Malformed(refused[int(row)], _shown(rows[int(row)])) for row in refused.is_not_null().arg_true()]
    return frame.filter(refused.is_null()), malformed


def _extended(rows: Sequence[Stream]) -> pl.DataFrame:
    columns = _extended_columns(rows)
    uri, title, episode = (pl.col(name) for name in ("spotify_track_uri", "master_metadata_track_name", "episode_name"))
    book, chapter = pl.col("audiobook_title"), pl.col("audiobook_chapter_title")
    kind = (
        pl.when(uri.str.starts_with("spotify:episode:"))
        .then(pl.lit("episode"))
        .when(uri.is_not_null())
        .then(pl.lit("track"))
        .when(pl.col("spotify_episode_uri").is_not_null() | episode.is_not_null())
        .then(pl.lit("episode"))
        .when(pl.col("audiobook_chapter_uri").is_not_null() | chapter.is_not_null() | book.is_not_null())
        .then(pl.lit("chapter"))
        .when(title.is_not_null())
        .then(pl.lit("track"))
    )
    reason, flag = pl.col("reason_end"), pl.col("skipped")
    # from 2015 to 2022 the flag is always false, so that the reason counts too
    skipped = pl.when(flag | reason.is_in(_SKIPS)).then(True).when(~reason.is_in(["unknown", "none"])).then(False)
    frame = columns.select(
        "username",
        kind.alias("kind"),
        "incognito_mode",
        ended="ts",
        ms_played="ms_played",
        uri=pl.coalesce(uri, "spotify_episode_uri", "audiobook_chapter_uri"),
        title=pl.coalesce(title, episode, chapter),
        by=pl.coalesce("master_metadata_album_artist_name", "episode_show_name", book),
        country=pl.when(pl.col("conn_country") != "ZZ").then("conn_country"),
        device=_by_platform(columns["platform"]),
        context=pl.col("reason_start").replace(_CONTEXTS),
        skipped=skipped.otherwise(flag),
        incognito=pl.col("incognito_mode").fill_null(False),
    )
    return _with_local_names(frame).with_columns(id=pl.coalesce("uri", _name_id())).select(list(STREAMS))


def _short(rows: Sequence[Stream], shows: frozenset[str]) -> pl.DataFrame:
    podcast, episode, artist = (pl.col(name) for name in ("podcastName", "episodeName", "artistName"))
    book, chapter, title = (pl.col(name) for name in ("audiobookName", "chapterName", "trackName"))
    kind = (
        pl.when(book.is_not_null() | chapter.is_not_null())
        .then(pl.lit("chapter"))
        .when(podcast.is_not_null() | episode.is_not_null() | artist.is_in(pl.Series(list(shows), dtype=pl.String)))
        .then(pl.lit("episode"))
        .when(title.is_not_null())
        .then(pl.lit("track"))
    )
    named = _columns(rows, ShortStream.__struct_fields__).select(
        ended="endTime",
        ms_played="msPlayed",
        kind=kind,
        title=pl.coalesce(title, episode, chapter),
        by=pl.coalesce(artist, podcast, book),
        incognito=False,
    )
    unreported = {name: pl.lit(None, dtype) for name, dtype in STREAMS.items() if name not in named.columns}
    return named.with_columns(**unreported | {"id": _name_id()}).select(list(STREAMS))


def _name_id() -> pl.Expr:
    """The id of what has no other: by its names, which are the same in every export."""
    return pl.lit(_NAME) + pl.col("by").fill_null("") + "/" + pl.col("title").fill_null("")


def _extended_columns(rows: Sequence[Stream]) -> pl.DataFrame:
    """The columns of rows; those of episodes and books are read only where a row lacks what names a track."""
    fields = ExtendedStream.__struct_fields__
    columns = _columns(rows, [name for name in fields if name not in _OF_OTHERS])
    is_other = columns.select(pl.any_horizontal(pl.col(_OF_TRACKS).is_null())).to_series().arg_true()
    others = _columns([rows[row] for row in is_other], _OF_OTHERS)
    missing = pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
    return columns.with_columns(missing.scatter(is_other, others[name]).alias(name) for name in _OF_OTHERS)


def _columns(rows: Sequence[Stream], fields: Sequence[str]) -> pl.DataFrame:
    """Fields of the rows as columns; empty texts are missing."""
    values = {name: list(map(attrgetter(name), rows)) for name in fields}
    readers = _READERS
    texts = [pl.Series(name, column, pl.String) for name, column in values.items() if name not in readers]
    others = [readers[name](column).alias(name) for name, column in values.items() if name in readers]
    filled = [pl.when(pl.col(text.name) != "").then(text.name).alias(text.name) for text in texts]
    return pl.DataFrame([*texts, *others]).with_columns(filled)


def _whole(values: list[Any]) -> pl.Series:
    try:
        return pl.Series(values, dtype=pl.Int64)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series([_as_whole(value) for value in values], dtype=pl.Int64)


def _as_whole(value: int | float | str | None) -> int | None:
    try:
        number = round(float(value)) if value is not None else None
    except (ValueError, OverflowError):
        return None
    return number if number is None else max(min(number, LONGEST_MS + 1), -1)


def _times(form: str, values: list[Any]) -> pl.Series:
    """The times of a column, most of which have a form; null if there is none."""
    try:
        texts = pl.Series(values, dtype=pl.String)
    except (TypeError, pl.exceptions.PolarsError):
        texts = pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)
    times = texts.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    others = texts.is_not_null() & times.is_null()
    return times.scatter(others.arg_true(), _moments(texts.filter(others))) if others.any() else times


def _moments(texts: pl.Series) -> pl.Series:
    """Times in other forms; those in the future stay, so that they can be named."""
    iso = texts.str.to_datetime("%+", time_unit="us", strict=False, time_zone="UTC")
    return iso.zip_with(iso.is_not_null(), read_times(texts).values)


def _flags(values: list[Any]) -> pl.Series:
    try:
        return pl.Series(values, dtype=pl.Boolean)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series([_as_flag(value) for value in values], dtype=pl.Boolean)


def _as_flag(value: bool | int | float | str | None) -> bool | None:
    return {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}.get(str(value).lower())


_READERS: dict[str, Callable[[list[Any]], pl.Series]] = {
    "ts": partial(_times, "%Y-%m-%dT%H:%M:%SZ"),
    "endTime": partial(_times, "%Y-%m-%d %H:%M"),
    "ms_played": _whole,
    "msPlayed": _whole,
    "skipped": _flags,
    "incognito_mode": _flags,
}
"""Fields that are not always text → function that reads their values."""


def _by_platform(platforms: pl.Series) -> pl.Expr:
    names = platforms.unique().drop_nulls()
    return pl.col("platform").replace_strict(names, [_device(name) for name in names], default=None)


def _device(platform: str) -> str:
    text = platform.lower()
    return next((name for name, signs in _DEVICES.items() if any(sign in text for sign in signs)), "other")


def _with_local_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Names that the address of a local file holds: ``spotify:local:ARTIST:ALBUM:TITLE:SECONDS``."""
    is_local = pl.col("uri").str.starts_with("spotify:local:") & pl.col("title").is_null()
    if not frame.select(is_local.any()).item():
        return frame
    names = frame.filter(is_local)["uri"].unique().to_list()
    parts = {uri: [unquote_plus(part) for part in uri.split(":")[2:]] for uri in names}
    titles = {uri: part[2] for uri, part in parts.items() if len(part) > 2 and part[2]}
    artists = {uri: part[0] for uri, part in parts.items() if part[0]}
    return frame.with_columns(
        title=pl.coalesce("title", pl.col("uri").replace_strict(titles, default=None, return_dtype=pl.String)),
        by=pl.coalesce("by", pl.col("uri").replace_strict(artists, default=None, return_dtype=pl.String)),
    )


def _shown(row: Stream) -> str:
    """A row for the quarantine: what was read of it, without the listener's name."""
    fields = {name: getattr(row, name) for name in row.__struct_fields__ if name != "username"}
    return json.dumps({name: value for name, value in fields.items() if value is not None}, ensure_ascii=False)[:SHOWN]
