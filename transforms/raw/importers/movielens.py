"""MovieLens 100k (GroupLens): ratings with real timestamps stand in for plays.

A film is a track and a rating is a play; 1 or 2 stars count as skipped. MovieLens names no makers, so the film's
set of genres stands in for the artist, so that artist features carry taste. The data have no creation times of users
and films: they are stamped with the opening of the collection (1997-09-01).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from transforms.raw.importers.format import (
    BATCH_ROWS,
    EPOCH_SECONDS,
    Format,
    Rows,
    decoded,
    from_seconds,
    lines,
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


def read(path: Path) -> Iterator[Batch]:
    """Yield catalogue and users first, then the ratings."""
    MOVIELENS.check(path)
    for name in ("u.data", "u.item", "u.genre"):
        if not (path / name).is_file():
            raise MOVIELENS.mismatch(f"no file {name} in {path}")
    genres = _genres(path / "u.genre")
    tracks, artist_of = _tracks(path / "u.item", genres)
    artists = Rows("artists", _ARTISTS)
    artists.rows = [(artist, _artist_name(artist), COLLECTED_SINCE) for artist in sorted(set(artist_of.values()))]
    yield artists.flush(0, 1)
    yield tracks.flush(0, 1)
    if (path / "u.user").is_file():
        yield _users(path / "u.user").flush(0, 1)
    yield from _plays(path / "u.data", artist_of)


def _genres(path: Path) -> list[str]:
    names = [line.decode("latin-1").partition("|")[0] for line, _ in lines(path, MOVIELENS)]
    return [name for name in names if name]


def _tracks(path: Path, genres: list[str]) -> tuple[Rows, dict[str, str]]:
    rows = Rows("tracks", _TRACKS)
    artist_of = {}
    for line, _ in lines(path, MOVIELENS):
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
        raise MOVIELENS.mismatch(f"no line of {path} is a film")
    return rows, artist_of


def _artist_name(artist: str) -> str:
    return artist.removeprefix("ml:").replace("+", ", ")


def _day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%d-%b-%Y").replace(tzinfo=UTC)
    except ValueError:
        return None


def _users(path: Path) -> Rows:
    rows = Rows("users", _USERS)
    for line, _ in lines(path, MOVIELENS):
        text = decoded(line, rows)
        if text is None:
            continue
        fields = text.split("|")
        if len(fields) < 3 or not fields[1].isdigit():
            rows.refuse("not id|age|gender|…", text)
            continue
        rows.rows.append((f"ml:{fields[0]}", COLLECTED_SINCE.year - int(fields[1]), fields[2], COLLECTED_SINCE))
    return rows


def _plays(path: Path, artist_of: dict[str, str]) -> Iterator[Batch]:
    size = path.stat().st_size
    rows = Rows("plays", _PLAYS)
    done = good = 0
    for line, position in lines(path, MOVIELENS):
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
            raise MOVIELENS.mismatch(f"no line of {path} is a rating")
        if len(rows.rows) >= BATCH_ROWS:
            yield from_seconds(rows.flush(done, size), "event_timestamp")
    if rows.malformed and not good:
        raise MOVIELENS.mismatch(f"no line of {path} is a rating")
    yield from_seconds(rows.flush(size, size), "event_timestamp")


MOVIELENS = Format(
    "movielens",
    "a folder with MovieLens 100k's u.data, u.item, u.genre (and u.user, if users are wanted)",
    read,
)
