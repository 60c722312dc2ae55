"""ListenBrainz listens, JSON lines: one listen a line, plain or gzip, a file or a folder of them.

Reads both the export of an account (``user_name``, ``listened_at``, ``inserted_at``) and the public dumps
(``user_id``, ``timestamp``). A recording is named by its MusicBrainz id if the listen has one, else by the message
id, else by artist and title.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.importers.first_seen import first_seen
from transforms.raw.importers.format import BATCH_ROWS, EPOCH_SECONDS, Format, Rows, decoded, from_seconds, lines
from transforms.raw.ingest import Batch

_TIMES = {"event_timestamp": EPOCH_SECONDS, "created_timestamp": EPOCH_SECONDS}
_PLAYS = {
    "user_id": pl.String(),
    "track_id": pl.String(),
    "artist_id": pl.String(),
    "device": pl.String(),
    **_TIMES,
}
_TRACKS = {
    "track_id": pl.String(),
    "artist_id": pl.String(),
    "artist_name": pl.String(),
    "title": pl.String(),
    "duration_ms": pl.Int64(),
    "event_timestamp": EPOCH_SECONDS,
}
_ARTISTS = {"artist_id": pl.String(), "name": pl.String(), "event_timestamp": EPOCH_SECONDS}
_USERS = {"user_id": pl.String(), "event_timestamp": EPOCH_SECONDS}
_NEVER = 1 << 62
_SUFFIXES = (".jsonl", ".listens", ".json")


def read(path: Path) -> Iterator[Batch]:
    """Yield the listens file after file, ordered by name; then users, tracks and artists, as of their first listen."""
    return first_seen(_read(path), {"users": "user_id", "tracks": "track_id", "artists": "artist_id"})


def _read(path: Path) -> Iterator[Batch]:
    LISTENBRAINZ.check(path)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if _is_listens(file))
    if not files:
        raise LISTENBRAINZ.mismatch(f"no .jsonl or .listens file in {path}")
    total = sum(file.stat().st_size for file in files)
    before = 0
    seen: dict[str, int] = {}
    for file in files:
        yield from _file(file, seen, before, total)
        before += file.stat().st_size


def _is_listens(file: Path) -> bool:
    return file.is_file() and file.name.removesuffix(".gz").endswith(_SUFFIXES)


def _file(file: Path, seen: dict[str, int], before: int, total: int) -> Iterator[Batch]:
    tables = {
        "artists": Rows("artists", _ARTISTS),
        "tracks": Rows("tracks", _TRACKS),
        "users": Rows("users", _USERS),
        "plays": Rows("plays", _PLAYS),
    }
    plays = tables["plays"]
    done = good = 0
    try:
        for line, position in lines(file, LISTENBRAINZ):
            done = position or done
            if not line.strip():
                continue
            text = decoded(line, plays)
            if text is not None and _append_listen(text, tables, seen):
                good += 1
            if len(plays.malformed) >= 1_000 and not good:
                raise LISTENBRAINZ.mismatch(f"no line of {file} is a listen")
            if len(plays.rows) >= BATCH_ROWS:
                yield from _flush(tables, before + done, total)
        if plays.malformed and not good:
            raise LISTENBRAINZ.mismatch(f"no line of {file} is a listen")
    except InputError:
        if good:  # store the listens before the file broke off
            yield from _flush(tables, before + done, total)
        raise
    yield from _flush(tables, before + file.stat().st_size, total)


def _flush(tables: dict[str, Rows], done: int, total: int) -> Iterator[Batch]:
    for rows in tables.values():
        yield from_seconds(rows.flush(done, total), *(name for name in _TIMES if name in rows.columns))


def _append_listen(text: str, tables: dict[str, Rows], seen: dict[str, int]) -> bool:
    plays = tables["plays"]
    try:
        listen: dict[str, Any] = json.loads(text)
        meta: dict[str, Any] = listen["track_metadata"]
        title, name = meta["track_name"], meta["artist_name"]
        info: dict[str, Any] = meta.get("additional_info") or {}
        mapping: dict[str, Any] = meta.get("mbid_mapping") or {}
        started = int(listen["listened_at"] if "listened_at" in listen else listen["timestamp"])
        created = _seconds(listen.get("inserted_at"), started)
        user = listen.get("user_name") or listen.get("user_id")
    except json.JSONDecodeError:
        plays.refuse("not JSON, or cut short", text)
        return False
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        plays.refuse("not a listen with listened_at, track_name and artist_name", text)
        return False
    recording = info.get("recording_mbid") or mapping.get("recording_mbid") or listen.get("recording_msid")
    track = f"mb:{recording}" if recording else f"mb:{name}/{title}"
    artists = info.get("artist_mbids") or mapping.get("artist_mbids")
    artist = f"mb:{artists[0]}" if artists else f"mb:{name}"
    user_id = f"lb:{user}" if user else None
    plays.rows.append((user_id, track, artist, info.get("media_player"), started, max(created, started)))
    if 0 <= started < seen.get(track, _NEVER):
        seen[track] = started
        tables["tracks"].rows.append((track, artist, name, title, _duration(info), started))
    if 0 <= started < seen.get(artist, _NEVER):
        seen[artist] = started
        tables["artists"].rows.append((artist, name, started))
    if user_id and 0 <= started < seen.get(user_id, _NEVER):
        seen[user_id] = started
        tables["users"].rows.append((user_id, started))
    return True


def _seconds(value: object, fallback: int) -> int:
    if isinstance(value, int | float):
        return int(value)
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return fallback


def _duration(info: dict[str, Any]) -> int | None:
    if isinstance(info.get("duration_ms"), int):
        return info["duration_ms"]
    seconds = info.get("duration")
    return seconds * 1_000 if isinstance(seconds, int) else None


LISTENBRAINZ = Format("listenbrainz", "ListenBrainz listens as JSON lines: a file (.gz too) or a folder", read)
