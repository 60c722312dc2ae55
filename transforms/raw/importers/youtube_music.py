"""YouTube Music: the history of Google Takeout, "YouTube and YouTube Music", as JSON, in any language of the account.

Takeout has one history for YouTube and YouTube Music, which ``header`` tells apart; other videos and searches are no
plays of music and are left out. A play has a start and no length. The artist is the name of the channel, without the
" - Topic" that YouTube adds. The history does not say whose it is.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec
import polars as pl

from feature_repo.home import Home
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.records import first_object, records
from transforms.raw.files.rows import Malformed
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.service_exports import Played, Service, folder_of
from transforms.raw.importers.service_tables import artist_id, part_refused, reasons_of, with_times
from transforms.raw.importers.youtube_titles import plain_titles
from transforms.raw.ingest import Batch

PREFIX = "youtube-music:"
HEADER = "YouTube Music"
_HOST = "music.youtube.com"
_TOPIC = r"(?i)\s+[-–—]\s+(topic|thema|tema|tópico|thème|argomento|onderwerp|temat|тема|トピック|主题|主題|주제|konu)$"
_VIDEO = (r"[?&]v=([^&#]+)", r"//youtu\.be/([^?&#]+)")


class Channel(msgspec.Struct, gc=False):
    """A subtitle of an entry."""

    name: str | None = None


class Watched(msgspec.Struct, gc=False):
    """An entry of the history."""

    time: str | int | None = None
    title: str | None = None
    titleUrl: str | None = None
    header: str | None = None
    subtitles: list[Channel] | None = None
    details: list[msgspec.Raw] | None = None


def read(path: Path, home: Home | None = None, *, user: str | None = None) -> Iterator[Batch | PassedOver]:
    """Yields the plays of a path; ``user`` is the listener's id, by default that of ``export_listeners``."""
    yield from Service(YOUTUBE_MUSIC, _is_history, _plays_of, place_of=_place_of).read(path, home, user)


def _is_history(member: Member) -> bool:
    name = member.file_name.lower()
    return name.endswith(".json") and {"header", "title", "time"} <= set(first_object(member))


def _place_of(member: Member) -> str:
    """The folder or archive that Takeout's folders are in, since their names depend on the language."""
    parts = PurePosixPath(member.name).parts
    return "/".join(parts[: parts.index("Takeout")]) if "Takeout" in parts else folder_of(member)


def _plays_of(member: Member) -> Iterator[Played]:
    for batch in records(member, shape=Watched):
        yield _played(batch.rows, batch.malformed, batch.done)


def _played(entries: Sequence[Watched], malformed: Sequence[Malformed], done: int) -> Played:
    visits = with_times(_visits(entries), "event_timestamp")
    url, video = pl.col("url"), pl.col("video")
    is_advert = pl.col("has_details").cast(pl.Boolean)
    is_gone = url.is_null() | (pl.col("artist_name").is_null() & pl.col("title").str.ends_with(url))
    is_music = (pl.col("header") == HEADER) | (pl.col("header").is_null() & url.str.contains(_HOST, literal=True))
    others = {"searches and other visits": video.is_null(), "other videos": ~is_music.fill_null(False)}
    kind = pl.coalesce(pl.when(is_kind).then(pl.lit(name)) for name, is_kind in others.items())
    visits = visits.with_columns(kind=pl.when(~(is_advert | is_gone)).then(kind))
    counts = visits["kind"].drop_nulls().value_counts()
    wanted = visits.filter(pl.col("kind").is_null()).drop("kind", "header")
    reasons = {"advertisement": is_advert, "removed": is_gone, **reasons_of()}
    plays, refused = part_refused(wanted, reasons, malformed)
    titles = plays["title"].unique()
    words = dict(zip(titles, plain_titles(titles.to_list()), strict=True))
    rows = plays.with_columns(
        title=pl.col("title").replace_strict(words, default=None, return_dtype=pl.String),
        track_id=pl.lit(PREFIX) + video,
        artist_id=artist_id(PREFIX),
        reported_by=pl.lit("youtube music"),
    )
    return Played(rows, refused, dict(counts.iter_rows()), done)


def _visits(entries: Sequence[Watched]) -> pl.DataFrame:
    """The entries as columns; empty texts are missing."""
    texts = {
        "event_timestamp": [None if entry.time is None else str(entry.time) for entry in entries],
        "title": [entry.title for entry in entries],
        "url": [entry.titleUrl for entry in entries],
        "header": [entry.header for entry in entries],
        "artist_name": [entry.subtitles[0].name if entry.subtitles else None for entry in entries],
    }
    frame = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String)).with_columns(pl.all().str.strip_chars())
    columns = [pl.when(pl.col(name) != "").then(name).alias(name) for name in texts]
    return frame.select(columns).with_columns(
        pl.Series("has_details", [bool(entry.details) for entry in entries], pl.Boolean),
        artist_name=pl.col("artist_name").str.replace(_TOPIC, "").str.strip_chars(),
        video=pl.coalesce(pl.col("url").str.extract(sign) for sign in _VIDEO),
        ms_played=pl.lit(None, pl.Int64),
    )


YOUTUBE_MUSIC = Format(
    "youtube-music",
    "Google Takeout of YouTube and YouTube Music with the history as JSON: a zip, a folder, or watch-history.json",
    read,
    options=USER,
)
