"""MovieLens 100k (GroupLens, 1998), whose files have forms of their own.

The data have no creation times of users and films: they are stamped with the opening of the collection (1997-09-01).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.text import LONGEST_LINE
from transforms.raw.importers.format import (
    BATCH_ROWS,
    EPOCH_SECONDS,
    Format,
    Rows,
    decoded,
    from_seconds,
)
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC

COLLECTED_SINCE = datetime(1997, 9, 1, tzinfo=UTC)
SKIPPED_UP_TO_STARS = 2
ITEM_FIELDS = 24

_USERS = {
    "user_id": pl.String(),
    "birth_year": pl.Int64(),
    "gender": pl.String(),
    "event_timestamp": MICROSECONDS_UTC,
}
_TRACKS = {
    "track_id": pl.String(),
    "title": pl.String(),
    "genres": pl.List(pl.String()),
    "released": MICROSECONDS_UTC,
    "artist_id": pl.String(),
    "artist_name": pl.String(),
    "event_timestamp": MICROSECONDS_UTC,
}
_ARTISTS = {"artist_id": pl.String(), "name": pl.String(), "event_timestamp": MICROSECONDS_UTC}
_PLAYS = {
    "user_id": pl.String(),
    "track_id": pl.String(),
    "artist_id": pl.String(),
    "skipped": pl.Boolean(),
    "context": pl.String(),
    "event_timestamp": EPOCH_SECONDS,
}


def read_100k(files: Mapping[str, Member], path: Path, kind: Format) -> Iterator[Batch]:
    """Yields catalogue and users first, then the ratings.

    Args:
        files: name of a file → the file.
        path: where they are, for messages.
        kind: the importer, for errors.

    Raises:
        InputError: a file is missing, or is of another format.
    """
    for name in ("u.data", "u.item", "u.genre"):
        if name not in files:
            raise kind.mismatch(f"no file {name} in {path}")
    genres = _genres(files["u.genre"])
    tracks, artist_of = _tracks(files["u.item"], genres, kind)
    artists = Rows("artists", _ARTISTS)
    artists.rows = [(artist, _artist_name(artist), COLLECTED_SINCE) for artist in sorted(set(artist_of.values()))]
    yield artists.flush(0, 1)
    yield tracks.flush(0, 1)
    if "u.user" in files:
        yield _users(files["u.user"]).flush(0, 1)
    yield from _plays(files["u.data"], artist_of, kind)


def _lines(member: Member) -> Iterator[tuple[bytes, int]]:
    """Yields each line without its end, and the bytes read so far (every 1,000 lines; 0 otherwise)."""
    with member.open() as handle:
        for number, line in enumerate(iter(partial(handle.readline, LONGEST_LINE), b"")):
            yield line.rstrip(b"\r\n"), handle.position() if number % 1_000 == 0 else 0


def _genres(member: Member) -> list[str]:
    names = [line.decode("latin-1").partition("|")[0] for line, _ in _lines(member)]
    return [name for name in names if name]


def _tracks(member: Member, genres: list[str], kind: Format) -> tuple[Rows, dict[str, str]]:
    rows = Rows("tracks", _TRACKS)
    artist_of = {}
    for line, _ in _lines(member):
        text = line.decode("latin-1")  # as GroupLens published it
        fields = text.split("|")
        if len(fields) != ITEM_FIELDS or not fields[0].isdigit():
            rows.refuse(f"not {ITEM_FIELDS} fields between |, the first a number", text)
            continue
        film_genres = [genre for genre, flag in zip(genres, fields[5:], strict=False) if flag == "1"]
        artist = "ml:" + "+".join(film_genres or ["unknown"])
        artist_of[fields[0]] = artist
        rows.rows.append(
            (
                f"ml:{fields[0]}",
                fields[1],
                film_genres,
                _day(fields[2]),
                artist,
                _artist_name(artist),
                COLLECTED_SINCE,
            )
        )
    if not rows.rows:
        raise kind.mismatch(f"no line of {member.place} is a film")
    return rows, artist_of


def _artist_name(artist: str) -> str:
    return artist.removeprefix("ml:").replace("+", ", ")


def _day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%d-%b-%Y").replace(tzinfo=UTC)
    except ValueError:
        return None


def _users(member: Member) -> Rows:
    rows = Rows("users", _USERS)
    for line, _ in _lines(member):
        text = decoded(line, rows)
        if text is None:
            continue
        fields = text.split("|")
        if len(fields) < 3 or not fields[1].isdigit():
            rows.refuse("not id|age|gender|…", text)
            continue
        rows.rows.append((f"ml:{fields[0]}", COLLECTED_SINCE.year - int(fields[1]), fields[2], COLLECTED_SINCE))
    return rows


def _plays(member: Member, artist_of: dict[str, str], kind: Format) -> Iterator[Batch]:
    size = member.size
    rows = Rows("plays", _PLAYS)
    done = good = 0
    for line, position in _lines(member):
        done = position or done
        text = decoded(line, rows)
        if text is None:
            continue
        fields = text.split("\t")
        if len(fields) != 4 or not (fields[2].isdigit() and fields[3].lstrip("-").isdigit()):
            rows.refuse("not user, item, rating and time between tabs", text)
        else:
            user, item, rating, seconds = fields
            skipped = int(rating) <= SKIPPED_UP_TO_STARS
            user_id, track_id = (f"ml:{key}" if key else None for key in (user, item))
            rows.rows.append((user_id, track_id, artist_of.get(item), skipped, "rating", int(seconds)))
            good += 1
        if len(rows.malformed) >= 1_000 and not good:
            raise kind.mismatch(f"no line of {member.place} is a rating")
        if len(rows.rows) >= BATCH_ROWS:
            yield from_seconds(rows.flush(done, size), "event_timestamp")
    if rows.malformed and not good:
        raise kind.mismatch(f"no line of {member.place} is a rating")
    yield from_seconds(rows.flush(size, size), "event_timestamp")
