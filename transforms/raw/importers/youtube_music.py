"""YouTube Music: the history of Google Takeout, "YouTube and YouTube Music", as JSON or as a web page.

Takeout has one history for YouTube and YouTube Music, which ``header`` tells apart; other videos and searches are no
plays of music and are left out. A play has a start and no length. The artist is the name of the channel, without the
" - Topic" that YouTube adds. The history does not say whose it is. The language of the account does not matter; on a
page, it decides how the local times are written (``takeout_times``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath

import msgspec
import polars as pl

from feature_repo.home import Home
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.records import first_object, records
from transforms.raw.files.rows import BATCH_ROWS, Malformed, batched
from transforms.raw.files.text import recognize
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.service_exports import Played, Service, folder_of
from transforms.raw.importers.service_tables import artist_id, part_refused, reasons_of, with_times
from transforms.raw.importers.takeout_times import PageTimes, zone_named
from transforms.raw.importers.youtube_page import PageEntry, is_page, page_entries
from transforms.raw.importers.youtube_titles import plain_titles
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC

PREFIX = "youtube-music:"
HEADER = "YouTube Music"
FORM, PAGE_FORM = "youtube music", "youtube music (page)"
KEPT_ENTRIES = 100_000
"""Entries of a page up to which it is read once; a larger page is read once for the form of its times, and again."""

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


def read(
    path: Path, home: Home | None = None, *, user: str | None = None, zone: str | None = None
) -> Iterator[Batch | PassedOver]:
    """Yields the plays of a path.

    Args:
        path: file, folder or archive.
        home: the data folder.
        user: the listener's id; by default that of ``export_listeners``.
        zone: the zone of web pages, for times whose zone they do not show.

    Raises:
        InputError: there is no such zone, or no play of music.
    """
    if zone:
        zone_named(zone)

    def plays_of(member: Member) -> Iterator[Played]:
        return _plays_of_page(member, zone) if is_page(member) else _plays_of_json(member)

    yield from Service(YOUTUBE_MUSIC, _is_history, plays_of, place_of=_place_of).read(path, home, user)


def _is_history(member: Member) -> bool:
    return is_page(member) or {"header", "title", "time"} <= set(first_object(member))


def _place_of(member: Member) -> str:
    """The folder or archive that Takeout's folders are in, since their names depend on the language."""
    parts = PurePosixPath(member.name).parts
    return "/".join(parts[: parts.index("Takeout")]) if "Takeout" in parts else folder_of(member)


def _plays_of_json(member: Member) -> Iterator[Played]:
    for batch in records(member, shape=Watched):
        visits = with_times(_visits(batch.rows), "event_timestamp")
        yield _played(visits, batch.malformed, batch.done, FORM, plain=plain_titles)


def _plays_of_page(member: Member, zone: str | None) -> Iterator[Played]:
    text = recognize(member)
    entries = page_entries(text)
    first = list(islice(entries, KEPT_ENTRIES))
    times = PageTimes((entry.time for entry, _ in chain(first, entries) if isinstance(entry, PageEntry)), zone)
    done = [0]

    def watched() -> Iterator[Watched | Malformed]:
        for entry, done[0] in first if len(first) < KEPT_ENTRIES else page_entries(text):
            yield _watched(entry) if isinstance(entry, PageEntry) else entry

    for batch in batched(watched(), BATCH_ROWS, member.size, lambda: done[0]):
        visits = _with_page_times(_visits(batch.rows), times)
        reasons = visits["not_event_timestamp"].drop_nulls().unique()
        yield _played(
            visits,
            batch.malformed,
            batch.done,
            PAGE_FORM,
            time_reasons={why: pl.col("not_event_timestamp") == why for why in reasons},
        )


def _watched(entry: PageEntry) -> Watched:
    channels = [Channel(entry.channel)] if entry.channel else None
    details = [msgspec.Raw(b"{}")] if entry.is_advert else None
    return Watched(entry.time, entry.title, entry.url, entry.header, channels, details)


def _with_page_times(visits: pl.DataFrame, times: PageTimes) -> pl.DataFrame:
    """Reads the times of a page, like ``with_times``."""
    values = [times.read(text) if text else (None, None) for text in visits["event_timestamp"]]
    return visits.with_columns(
        pl.Series("event_timestamp", [moment for moment, _ in values], MICROSECONDS_UTC),
        pl.Series("not_event_timestamp", [why or None for _, why in values], pl.String),
    )


def _played(
    visits: pl.DataFrame,
    malformed: Sequence[Malformed],
    done: float,
    form: str,
    plain: Callable[[list[str]], list[str]] = list,
    time_reasons: Mapping[str, pl.Expr] | None = None,
) -> Played:
    """The plays of music among visits.

    Args:
        visits: rows of ``_visits``, with times.
        malformed: elements that are no entries.
        done: bytes that are read.
        form: name of the form of the export.
        plain: function that takes the words around titles off.
        time_reasons: why a time cannot be read → whether it is so.
    """
    url, video = pl.col("url"), pl.col("video")
    is_advert = pl.col("has_details").cast(pl.Boolean)
    is_gone = url.is_null() | (pl.col("artist_name").is_null() & pl.col("title").str.ends_with(url))
    is_music = (pl.col("header") == HEADER) | (pl.col("header").is_null() & url.str.contains(_HOST, literal=True))
    others = {"searches and other visits": video.is_null(), "other videos": ~is_music.fill_null(False)}
    kind = pl.coalesce(pl.when(is_kind).then(pl.lit(name)) for name, is_kind in others.items())
    visits = visits.with_columns(kind=pl.when(~(is_advert | is_gone)).then(kind))
    counts = visits["kind"].drop_nulls().value_counts()
    wanted = visits.filter(pl.col("kind").is_null()).drop("kind", "header")
    reasons = {"advertisement": is_advert, "removed": is_gone, **(time_reasons or {}), **reasons_of()}
    plays, refused = part_refused(wanted, reasons, malformed)
    titles = plays["title"].unique()
    words = dict(zip(titles, plain(titles.to_list()), strict=True))
    rows = plays.with_columns(
        title=pl.col("title").replace_strict(words, default=None, return_dtype=pl.String),
        track_id=pl.lit(PREFIX) + video,
        artist_id=artist_id(PREFIX),
        reported_by=pl.lit(form),
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
    frame = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String)).with_columns(
        pl.all().str.replace_all("\u00a0", " ", literal=True).str.strip_chars()
    )
    columns = [pl.when(pl.col(name) != "").then(name).alias(name) for name in texts]
    return frame.select(columns).with_columns(
        pl.Series("has_details", [bool(entry.details) for entry in entries], pl.Boolean),
        artist_name=pl.col("artist_name").str.replace(_TOPIC, "").str.strip_chars(),
        video=pl.coalesce(pl.col("url").str.extract(sign) for sign in _VIDEO),
        ms_played=pl.lit(None, pl.Int64),
    )


YOUTUBE_MUSIC = Format(
    "youtube-music",
    "Google Takeout of YouTube and YouTube Music: an archive, a folder, watch-history.json or watch-history.html",
    read,
    options=USER | {"zone": "zone of the times on web pages that do not show it, such as Europe/Vienna"},
)
