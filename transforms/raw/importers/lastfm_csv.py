"""Scrobbles as CSV, with or without a header, as several tools write them.

With a header, columns are known by their names (``uts`` counts before ``utc_time``). Without one, the column with the
times is found by its values, and its place says what the others are: last in "Last.fm to CSV" (artist, album, track,
time) and in lastfmstats.com (artist, album, id, track, time), first in lastexport (time, track, artist) and, divided
into a date and a time of day, in lastfm-backup (date, time, artist, track).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.rows import frame
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize
from transforms.raw.files.times import read_time
from transforms.raw.importers.lastfm_json import named_by_file
from transforms.raw.importers.place_listener import is_general
from transforms.raw.importers.scrobbles import precision, scrobble_batches, started
from transforms.raw.ingest import Batch

_ARTISTS = ("artist", "artist name", "artistname", "track artist", "artist text")
_TITLES = ("track", "track name", "trackname", "track title", "title", "name", "song", "song name", "song title")
_TIMES = (
    "uts", "unixtime", "unix time", "date uts", "date unix", "unix timestamp", "timestamp", "time ms", "timems",
    "listened at", "played at", "scrobbled at", "scrobble time", "utc time", "iso time", "datetime", "date time",
    "date text", "date", "time",
)  # fmt: skip
_USER_MARK = "date#"
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d)?")
_NAME_OF_TIME = re.compile(r"time|date|stamp|uts|_at$|\bat$|when|played", re.IGNORECASE)
"""Names of columns of times. A table with one has a header; if ``_TIMES`` does not know it, it holds no scrobbles."""

_COPY = re.compile(r" ?\(\d+\)$")
_LOOKED_AT = 50
_SIZE = 500_000
"""Rows that are read at once: whether the day or the month comes first, all of one person's scrobbles decide."""


@dataclass(frozen=True)
class Layout:
    """Where in a table the scrobbles are.

    Attributes:
        has_header: whether the first row are names.
        artist: number of the column of the performers.
        title: number of the column of the tracks.
        time: number of the column of the times.
        clock: number of the column of the times of day, if the other has the dates.
        name: name of the listener; empty if it is unknown.
    """

    has_header: bool
    artist: int
    title: int
    time: int
    clock: int | None = None
    name: str = ""


def csv_layout(member: Member, head: str) -> Layout | None:
    """The layout of a table; None if it holds no scrobbles.

    Args:
        member: the file.
        head: its first characters.
    """
    if not head.strip() or "\0" in head or head.lstrip().startswith("<"):
        return None
    table = Table(recognize(member))
    by_names = _by_names(table.columns, member) if table.has_header else None
    return by_names or _by_values(member)


def read_csv(member: Member, layout: Layout, listener: str) -> Iterator[Batch]:
    """Yields the plays of a table."""
    table = Table(recognize(member), header=layout.has_header)
    names = table.columns
    for batch in table.batches(_SIZE):
        rows = frame(names, batch.rows)
        time = pl.col(names[layout.time]).str.strip_chars()
        clock = pl.lit("") if layout.clock is None else pl.lit(" ") + pl.col(names[layout.clock]).str.strip_chars()
        scrobbles = rows.select(
            artist=names[layout.artist], title=names[layout.title], time=time + clock, user_id=pl.lit(listener)
        )
        scrobbles = scrobbles.with_columns(started=started(scrobbles["time"]), precision_s=precision("time"))
        yield from scrobble_batches(scrobbles, "lastfm", "last.fm", batch.malformed, done=batch.done)


def _by_names(columns: list[str], member: Member) -> Layout | None:
    user = next((name[len(_USER_MARK) :] for name in columns if name.lower().startswith(_USER_MARK)), "")
    names = [name[: len(_USER_MARK)] if user and name.lower().startswith(_USER_MARK) else name for name in columns]
    plain = [re.sub(r"[\s_.#-]+", " ", name.lower()).strip() for name in names]
    artist, title, time = (_index(plain, names) for names in (_ARTISTS, _TITLES, _TIMES))
    if artist is None or title is None or time is None:
        return None
    clock = plain.index("time") if plain[time] == "date" and "time" in plain else None
    return Layout(True, artist, title, time, clock, user or named_by_file(member.stem))


def _index(columns: list[str], names: tuple[str, ...]) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)


def _by_values(member: Member) -> Layout | None:
    table = Table(recognize(member), header=False)
    rows = list(islice((row for batch in table.batches(_LOOKED_AT) for row in batch.rows), _LOOKED_AT))
    if not rows:
        return None
    counts = [sum(read_time(cell) is not None for cell in column) for column in zip(*rows, strict=True)]
    width, time = len(counts), max(range(len(counts)), key=counts.__getitem__)
    if 2 * counts[time] < len(rows) - 1 or not counts[time] or _NAME_OF_TIME.search(rows[0][time]):
        return None
    stem = _COPY.sub("", member.stem)
    name = named_by_file(stem) or ("" if is_general(stem) else stem)
    if time == 0 and width >= 4 and all(_CLOCK.fullmatch(row[1].strip()) for row in rows):
        return Layout(False, 2, 3, 0, 1, name)
    titles = {2: 1, 3: 2, 4: 3}  # place of the time → place of the title
    if time == 0 and width >= 3 and table.delimiter == "\t":
        layout = Layout(False, 2, 1, 0, None, name)
    elif time == width - 1 and time in titles:
        layout = Layout(False, 0, titles[time], time, None, name)
    else:
        return None
    has_words = sum(any(map(str.isalpha, row[layout.artist] + row[layout.title])) for row in rows)
    return layout if 2 * has_words > len(rows) else None
