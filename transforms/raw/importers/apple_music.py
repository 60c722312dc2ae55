"""Apple Music: "Apple Media Services information" of privacy.apple.com, whose archives hold archives.

``Apple Music Play Activity.csv`` has the plays, to the millisecond of their ends: the event time is the start, which is
computed where it is missing. Newer exports name no artist. It is then taken from ``Apple Music - Play History Daily
Tracks.csv`` of the same export, where one artist alone has a title. That table says how often a track was played on a
day, and in which hours; it is read where it is all there is. A listener is an account, whose number is hashed.
Addresses, places and numbers of devices are not read.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize
from transforms.raw.importers.apple_music_days import DAILY, plays_by_day
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.service_exports import Played, Service
from transforms.raw.importers.service_tables import (
    artist_id,
    device_of,
    has_columns,
    name_id,
    part_refused,
    read_columns,
    reasons_of,
    with_times,
    with_whole_numbers,
)
from transforms.raw.ingest import Batch

PREFIX = "apple-music:"
SHOP = "ITUNES_STORE_CONTENT"
_ACTIVITY, _BY_DAY = "activity", "by day"
_COLUMNS = {
    "title": ["Song Name", "Content Name"],
    "artist_name": ["Artist Name"],
    "container_artist": ["Container Artist Name"],
    "started": ["Event Start Timestamp"],
    "ended": ["Event End Timestamp"],
    "ms_played": ["Play Duration Milliseconds"],
    "duration_ms": ["Media Duration In Milliseconds"],
    "event": ["Event Type"],
    "item": ["Item Type"],
    "end_reason": ["End Reason Type"],
    "feature": ["Feature Name"],
    "device": ["Device Type", "Device OS Name"],
}
_SKIPS = ("TRACK_SKIPPED_FORWARDS", "TRACK_SKIPPED_BACKWARDS", "MANUALLY_SELECTED_PLAYBACK_OF_A_DIFF_ITEM")
_ACCOUNT = ["Apple ID Number"]
_APPLE = ("apple", "app_store", "app store", "media_services")
"""How names begin of folders and archives that Apple gives: they say nothing of the person."""

Artists = dict[str, str]


def read(path: Path, home: Home | None = None, *, user: str | None = None) -> Iterator[Batch | PassedOver]:
    """Yields the plays of a path; ``user`` is the listener's id, by default that of ``export_listeners``."""
    kinds: dict[str, str] = {}
    days: dict[str, list[Member]] = defaultdict(list)
    accounts: dict[str, str] = {}
    for member in (*members(APPLE_MUSIC.check(path)), *_beside(path)):
        kinds[member.name] = _kind_of(member)
        if kinds[member.name] == _BY_DAY:
            days[_place_of(member)].append(member)
        elif kinds[member.name] == _ACTIVITY:
            accounts[_place_of(member)] = accounts.get(_place_of(member)) or _account_of(member)

    def plays_of(member: Member) -> Iterator[Played]:
        if kinds[member.name] == _BY_DAY:
            yield from plays_by_day(member, PREFIX)
        else:
            yield _activity(member, _artists(days[_place_of(member)]))

    def instead(member: Member, others: list[Member]) -> str:
        active = {_place_of(other) for other in others if kinds[other.name] == _ACTIVITY}
        is_again = kinds[member.name] == _BY_DAY and _place_of(member) in active
        return "the same plays by day, of which the artists are taken" if is_again else ""

    service = Service(
        APPLE_MUSIC,
        lambda member: bool(kinds[member.name]),
        plays_of,
        lambda member: accounts.get(_place_of(member), ""),
        _place_of,
        instead,
    )
    yield from service.read(path, home, user)


def _kind_of(member: Member) -> str:
    """Which table of plays a member is; empty if it is none."""
    if member.damage or not member.file_name.lower().endswith((".csv", ".tsv", ".txt")):
        return ""
    try:
        columns = Table(recognize(member)).columns
    except InputError:
        return ""
    kinds = {_ACTIVITY: ("Event End Timestamp", "Play Duration Milliseconds"), _BY_DAY: DAILY}
    return next((kind for kind, names in kinds.items() if has_columns(columns, *names)), "")


def _place_of(member: Member) -> str:
    parts = list(PurePosixPath(member.name).parent.parts)
    while parts and parts[-1].lower().startswith(_APPLE):
        parts.pop()
    return "/".join(parts)


def _beside(path: Path) -> Iterator[Member]:
    """The other tables of the folder, of a table that stands alone."""
    if path.is_file() and path.suffix.lower() == ".csv":
        for other in sorted(path.parent.glob("Apple Music*.csv")):
            if other != path:
                yield from members(other)


def _account_of(member: Member) -> str:
    rows, _ = read_columns(Table(recognize(member)), {"account": _ACCOUNT})
    number = next(iter(rows["account"].drop_nulls()), "")
    return hashlib.sha256(number.encode()).hexdigest()[:12] if number else ""


def _artists(days: list[Member]) -> Artists:
    """The artist of each title that one artist alone has among the plays by day."""
    known: dict[str, set[str]] = defaultdict(set)
    for member in days:
        for part in plays_by_day(member, PREFIX):
            for title, artist in part.rows.select("title", "artist_name").drop_nulls().unique().iter_rows():
                known[title.casefold()].add(artist)
    return {title: next(iter(artists)) for title, artists in known.items() if len(artists) == 1}


def _activity(member: Member, artists: Artists) -> Played:
    table = Table(recognize(member))
    rows, lines = read_columns(table, _COLUMNS)
    timed = with_whole_numbers(with_times(rows, "started", "ended"), table.decimal, "ms_played", "duration_ms")
    length = pl.duration(milliseconds=pl.col("ms_played").fill_null(0))
    start = pl.when(pl.col("started") <= pl.col("ended")).then("started")
    timed = timed.with_columns(
        event_timestamp=pl.coalesce(start, pl.col("ended") - length, "started"),
        created_timestamp=pl.coalesce("ended", pl.col("started") + length),
        not_event_timestamp=pl.coalesce("not_ended", "not_started"),
        item=pl.col("item").fill_null(SHOP),
    )
    event, item = pl.col("event"), pl.col("item")
    radio = (item == "STREAM") | ((item != SHOP) & (pl.col("duration_ms") == 0))
    left_out = {
        "live radio, which names no track": radio & (item != "AD"),
        "shows and films of Apple, no music": item.str.starts_with("ORIGINAL_CONTENT"),
    }
    is_play = event.is_null() | (event == "PLAY_END")
    counts = {why: int(timed.select((is_other & is_play).sum()).item()) for why, is_other in left_out.items()}
    wanted = timed.filter(~(pl.any_horizontal(left_out.values()) & is_play).fill_null(False))
    reasons = {
        "lyrics": event == "LYRIC_DISPLAY",
        "the start of a play": event == "PLAY_START",
        "another event than a play": ~is_play,
        "advertisement": item == "AD",
        **reasons_of(),
    }
    plays, malformed = part_refused(wanted, reasons, lines)
    by_title = pl.col("title").str.to_lowercase().replace_strict(artists, default=None, return_dtype=pl.String)
    reason = pl.col("end_reason")
    played = plays.with_columns(artist_name=pl.coalesce("artist_name", by_title, "container_artist")).with_columns(
        track_id=name_id(PREFIX),
        artist_id=artist_id(PREFIX),
        duration_ms=pl.when(pl.col("duration_ms") > 0).then("duration_ms"),
        skipped=pl.when(reason.is_in(_SKIPS)).then(True).when(reason == "NATURAL_END_OF_TRACK").then(False),
        context=pl.col("feature").str.to_lowercase(),
        device=device_of("device"),
        reported_by=pl.lit("apple music play activity"),
    )
    return Played(played, malformed, {why: count for why, count in counts.items() if count}, member.size)


APPLE_MUSIC = Format(
    "apple-music",
    "Apple Music's activity: Apple_Media_Services.zip as downloaded, a folder, or one of its two tables of plays",
    read,
    options=USER,
)
