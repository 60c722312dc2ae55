"""Last.fm HetRec 2011 (GroupLens): dated tags, play counts and friends of 1,892 listeners.

The data are about artists, so that each artist is also the catalogue's one track of theirs. Only the tags are dated
(by month): whoever tags an artist listened to them, so each listener, artist and month becomes one play with context
``tag``. Play counts and friendships are one snapshot without a date and are stamped with the release of the
collection (2011-05-31), so that no training row before it can see them.
"""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.members import single
from transforms.raw.files.text import LONGEST_LINE
from transforms.raw.importers.format import BATCH_ROWS, Rows
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC

COLLECTED_SINCE = datetime(2005, 1, 1, tzinfo=UTC)
RELEASED = datetime(2011, 5, 31, tzinfo=UTC)

FILES = ("artists.dat", "user_artists.dat", "tags.dat", "user_taggedartists.dat", "user_friends.dat")
_TIME = {"event_timestamp": MICROSECONDS_UTC}
_ARTISTS = {"artist_id": pl.String(), "name": pl.String(), **_TIME}
_TRACKS = {
    "track_id": pl.String(),
    "artist_id": pl.String(),
    "artist_name": pl.String(),
    "title": pl.String(),
    **_TIME,
}
_USERS = {"user_id": pl.String(), **_TIME}
_PLAYS = {
    "user_id": pl.String(),
    "track_id": pl.String(),
    "artist_id": pl.String(),
    "context": pl.String(),
    **_TIME,
}
_TAGS = {"user_id": pl.String(), "artist_id": pl.String(), "tag": pl.String(), **_TIME}
_COUNTS = {"user_id": pl.String(), "artist_id": pl.String(), "plays": pl.Int64(), **_TIME}
_FRIENDS = {"user_id": pl.String(), "friend_id": pl.String(), **_TIME}


def is_hetrec(path: Path) -> bool:
    """Whether a folder has a file of the collection."""
    return any((path / name).is_file() for name in FILES)


def read_hetrec(path: Path) -> Iterator[Batch]:
    """Yield artists and listeners first, then counts, friends and tags.

    Raises:
        InputError: a file is missing, or none of its lines is an artist.
    """
    for name in FILES:
        if not (path / name).is_file():
            raise _mismatch(f"no file {name} in {path}", path)
    yield from _artists(path / "artists.dat")
    yield from _counts(path / "user_artists.dat")
    yield from _friends(path / "user_friends.dat")
    yield from _tagged(path / "user_taggedartists.dat", _tag_names(path / "tags.dat"))


def _rows(path: Path, rows: Rows, width: int, numeric: int) -> Iterator[tuple[list[str], int]]:
    """Yield the fields of each line but the header; refuses lines of another width or without the numbers."""
    for line_number, (line, position) in enumerate(_lines(path)):
        text = _text(line)
        fields = text.split("\t")
        is_numeric = all(field.lstrip("-").isdigit() for field in fields[:numeric])
        if len(fields) >= width and is_numeric:
            yield fields, position
        elif line_number > 0 or len(fields) < width:  # the first line may be the header
            rows.refuse(f"not {width} fields between tabs, the first {numeric} numbers", text)


def _lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield each line without its end, and the bytes read so far (every 1,000 lines; 0 otherwise)."""
    with single(path).open() as handle:
        for number, line in enumerate(iter(partial(handle.readline, LONGEST_LINE), b"")):
            yield line.rstrip(b"\r\n"), handle.position() if number % 1_000 == 0 else 0


def _text(line: bytes) -> str:
    """Decode a line; the published files mix UTF-8 and ISO 8859-1."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _artists(path: Path) -> Iterator[Batch]:
    artists, tracks = Rows("artists", _ARTISTS), Rows("tracks", _TRACKS)
    for (key, name, *_), _position in _rows(path, artists, width=2, numeric=1):
        artist = f"lastfm:{key}"
        artists.rows.append((artist, name, COLLECTED_SINCE))
        tracks.rows.append((artist, artist, name, name, COLLECTED_SINCE))
    if not artists.rows:
        raise _mismatch(f"no line of {path} is an artist", path.parent)
    yield artists.flush(0, 1)
    yield tracks.flush(0, 1)


def _counts(path: Path) -> Iterator[Batch]:
    counts, users = Rows("play_counts", _COUNTS), Rows("users", _USERS)
    seen: set[str] = set()
    for (user, artist, plays, *_), _position in _rows(path, counts, width=3, numeric=3):
        counts.rows.append((f"lastfm:{user}", f"lastfm:{artist}", int(plays), RELEASED))
        if user not in seen:
            seen.add(user)
            users.rows.append((f"lastfm:{user}", COLLECTED_SINCE))
        if len(counts.rows) >= BATCH_ROWS:
            yield counts.flush(0, 1)
    yield counts.flush(0, 1)
    yield users.flush(0, 1)


def _friends(path: Path) -> Iterator[Batch]:
    friends = Rows("friendships", _FRIENDS)
    for (user, friend, *_), _position in _rows(path, friends, width=2, numeric=2):
        friends.rows.append((f"lastfm:{user}", f"lastfm:{friend}", RELEASED))
    yield friends.flush(0, 1)


def _tag_names(path: Path) -> dict[str, str]:
    rows = Rows("tags", _TAGS)
    return {key: name for (key, name, *_), _position in _rows(path, rows, width=2, numeric=1)}


def _tagged(path: Path, names: dict[str, str]) -> Iterator[Batch]:
    size = path.stat().st_size
    tags, plays = Rows("tags", _TAGS), Rows("plays", _PLAYS)
    done = 0
    for fields, position in _rows(path, tags, width=6, numeric=6):
        done = position or done
        user, artist, tag, day, month, year = fields[:6]
        try:
            moment = datetime(int(year), int(month), int(day), tzinfo=UTC)
        except ValueError:
            tags.refuse("no such day", "\t".join(fields))
            continue
        user_id, artist_id = f"lastfm:{user}", f"lastfm:{artist}"
        tags.rows.append((user_id, artist_id, names.get(tag, f"tag {tag}"), moment))
        plays.rows.append((user_id, artist_id, artist_id, "tag", moment))
        if len(tags.rows) >= BATCH_ROWS:
            yield tags.flush(done, size)
            yield plays.flush(done, size)
    yield tags.flush(size, size)
    yield plays.flush(size, size)


def _mismatch(found: str, folder: Path) -> InputError:
    return InputError(
        expected=f"a folder with HetRec 2011's {', '.join(FILES)}",
        found=found,
        next_command=f"ls {shlex.quote(str(folder))}",
    )
