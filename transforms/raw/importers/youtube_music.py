"""YouTube Music: the history of Google Takeout, "YouTube and YouTube Music", as JSON, in any language of the account.

Takeout has one history for YouTube and YouTube Music, which ``header`` tells apart; other videos and searches are no
plays of music and are left out. A play has a start and no length. The artist is the name of the channel, without the
" - Topic" that YouTube adds. The history does not say whose it is.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import polars as pl

from feature_repo.home import Home
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.records import first_object, records
from transforms.raw.files.rows import Malformed
from transforms.raw.files.text import storable
from transforms.raw.files.times import read_times
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.service_exports import Played, Service, folder_of
from transforms.raw.importers.service_tables import artist_id
from transforms.raw.importers.youtube_titles import plain_titles
from transforms.raw.ingest import Batch
from transforms.raw.validate import QUARANTINE

PREFIX = "youtube-music:"
HEADER = "YouTube Music"
_HOST = "music.youtube.com"
_TOPIC = re.compile(
    r"\s+[-–—]\s+(topic|thema|tema|tópico|thème|argomento|onderwerp|temat|тема|トピック|主题|主題|주제|konu)$",
    re.IGNORECASE,
)


class Watched(msgspec.Struct, gc=False):
    """An entry of the history."""

    time: str | int | None = None
    title: str | None = None
    titleUrl: str | None = None
    header: str | None = None
    subtitles: list[dict[str, Any]] | None = None
    details: list[Any] | None = None


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
    verdicts = [_why_not(entry) for entry in entries]
    left_out = Counter(why for why in verdicts if why in _OTHERS)
    times = read_times(pl.Series("time", [entry.time for entry in entries], pl.String, strict=False)).values
    verdicts = [
        why or ("" if time else "no time" if entry.time is None else "no such time, or one in the future")
        for why, time, entry in zip(verdicts, times, entries, strict=True)
    ]
    refused = [
        Malformed(why, storable(_shown(entry)))
        for why, entry in zip(verdicts, entries, strict=True)
        if why and why not in _OTHERS
    ]
    plays = [n for n, why in enumerate(verdicts) if not why]
    titles = plain_titles([entries[n].title or "" for n in plays])
    columns = {
        "title": titles,
        "artist_name": [_artist(entries[n]) for n in plays],
        "track_id": [PREFIX + _video(entries[n]) for n in plays],
    }
    rows = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).with_columns(
        times.gather(plays).alias("event_timestamp"), artist_id=artist_id(PREFIX), reported_by=pl.lit("youtube music")
    )
    lines = pl.DataFrame([*malformed, *refused], schema=QUARANTINE, orient="row")
    return Played(rows, lines, left_out, done)


_OTHERS = frozenset({"other videos", "searches and other visits"})
"""Kinds of entries that are no plays of music."""


def _why_not(entry: Watched) -> str:
    """Why an entry is no play of music; empty if it is one."""
    if entry.details:
        return "advertisement"
    if not entry.titleUrl or (not entry.subtitles and (entry.title or "").rstrip().endswith(entry.titleUrl)):
        return "removed"
    is_music = entry.header == HEADER or (not entry.header and _HOST in entry.titleUrl)
    if not _video(entry):
        return "searches and other visits"
    return "" if is_music and entry.title else "other videos"


def _video(entry: Watched) -> str:
    """The id of the video that an entry is about; empty if it is about something else."""
    try:
        url = urlsplit(entry.titleUrl or "")
    except ValueError:
        return ""
    short = url.path.removeprefix("/") if url.netloc == "youtu.be" else ""
    return next(iter(parse_qs(url.query).get("v", [])), short)


def _artist(entry: Watched) -> str | None:
    name = entry.subtitles[0].get("name") if entry.subtitles else None
    return _TOPIC.sub("", name).strip() or None if isinstance(name, str) else None


def _shown(entry: Watched) -> str:
    return msgspec.json.encode({"time": entry.time, "title": entry.title, "titleUrl": entry.titleUrl}).decode()


YOUTUBE_MUSIC = Format(
    "youtube-music",
    "Google Takeout of YouTube and YouTube Music with the history as JSON: a zip, a folder, or watch-history.json",
    read,
    options=USER,
)
