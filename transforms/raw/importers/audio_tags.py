"""Tags of sound files as rows of the catalogue: title, artist, album, genres, date, ISRC and MusicBrainz id."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.home import Home
from transforms.pure.text.spelling import spelled
from transforms.raw.read import scan
from transforms.raw.tables.tracks import TRACKS

_OWNER = "http://musicbrainz.org\0"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}\d{7}")
_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


def read_tags(file: Path) -> dict[str, Any]:
    """Read the tags of a sound file as columns of the raw table ``tracks``; empty without title, artist and ISRC.

    ID3, Vorbis comments, and those of m4a, wma and AIFF, by tinytag. A file whose tags are damaged has none.

    Args:
        file: the file.

    Raises:
        ModuleNotFoundError: tinytag is not installed.
    """
    from tinytag import TinyTag, TinyTagException

    try:
        tags = TinyTag.get(file, duration=False)
        texts = {name: _clean(value) for name, value in tags.as_dict().items()}
    except (TinyTagException, OSError, ValueError, LookupError, OverflowError, TypeError):
        return {}
    artist = _first(texts, "artist", "albumartist")
    row: dict[str, Any] = {
        "title": _first(texts, "title"),
        "artist_name": artist,
        "album": _first(texts, "album"),
        "isrc": _matched(_ISRC, re.sub(r"[\s-]", "", _first(texts, "isrc") or "").upper()),
        "mbid": _recording_id(texts),
    }
    if not (row["title"] or row["artist_name"] or row["isrc"]):
        return {}
    return row | {
        "artist_id": f"artist:{'_'.join(spelled('', artist).key[1].split())}" if artist else None,
        "genres": texts.get("genre") or None,
        "released": _date(_first(texts, "year") or ""),
    }


def catalogue(home: Home | None, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of the raw table ``tracks``: what the tags say, and beside it what is stored of the same tracks.

    Args:
        home: the data folder; None for nothing stored.
        rows: columns of ``read_tags``, ``track_id``, ``duration_ms`` and the times.
    """
    schema = dict(TRACKS.columns)
    tagged = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row")
    if home is None or not rows:
        return tagged
    of_tags = pl.col("track_id").is_in(tagged["track_id"].to_list())
    stored = scan(home, TRACKS.name).filter(of_tags).sort("event_timestamp").collect()
    stored = stored.unique("track_id", keep="last")
    times = ("track_id", "event_timestamp", "created_timestamp")
    joined = tagged.join(stored, on="track_id", how="left", suffix="_stored", maintain_order="left")
    return joined.select(
        pl.col(name) if name in times else pl.coalesce(name, f"{name}_stored").alias(name) for name in schema
    )


def artists(entries: pl.DataFrame) -> pl.DataFrame:
    """Rows of the raw table ``artists``: each artist of the catalogue's rows once, with the time of its first."""
    named = entries.drop_nulls(["artist_id", "artist_name"]).sort("event_timestamp", "artist_name")
    columns = ("artist_id", pl.col("artist_name").alias("name"), "event_timestamp")
    return named.select(columns).unique("artist_id", keep="first", maintain_order=True)


def _clean(value: Any) -> list[str]:
    """The texts of a tag, which may be padded with zeros."""
    values = value if isinstance(value, list) else [value]
    texts = (unicodedata.normalize("NFC", str(one)).strip(" \0\t\r\n") for one in values)
    return [text for text in texts if text]


def _first(texts: Mapping[str, list[str]], *names: str) -> str | None:
    return next((texts[name][0] for name in names if texts.get(name)), None)


def _recording_id(texts: Mapping[str, list[str]]) -> str | None:
    """The id of the recording: in MP3 a UFID of its owner, elsewhere the tag called "track id"."""
    owned = [text.removeprefix(_OWNER) for text in texts.get("ufid", []) if text.startswith(_OWNER)]
    named = [*texts.get("musicbrainz_trackid", []), *texts.get("musicbrainz track id", [])]
    named += texts.get("musicbrainz/track id", [])
    return next((text.lower() for text in (*owned, *named) if _UUID.fullmatch(text.lower())), None)


def _matched(pattern: re.Pattern[str], text: str) -> str | None:
    return text if pattern.fullmatch(text) else None


def _date(text: str) -> datetime | None:
    """The date of a text such as 2003, 2003-05 or 2003-05-01T00:00; parts that are missing are the first."""
    match = _DATE.match(text)
    try:
        return datetime(*(int(part or 1) for part in match.groups()), tzinfo=UTC) if match else None  # type: ignore[arg-type, misc]
    except ValueError:
        return None
