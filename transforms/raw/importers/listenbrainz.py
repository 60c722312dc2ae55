"""ListenBrainz: an account's export, old or new, answers of its API, and the public dumps.

A recording is named by its MusicBrainz id if the listen has one or was matched to one, else by the id of its message,
else by artist and title. The new export names its listener in ``user.json`` alone, beside the folder of the listens.
Loved and hated recordings are feedback. When a listen arrived at ListenBrainz is not read: a history of years that is
moved there in a day would be known from that day only.
"""

import re
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver, members, single
from transforms.raw.files.records import first_object, records, value_at
from transforms.raw.files.rows import BATCH_ROWS
from transforms.raw.files.streams import is_archive_name
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.place_listener import place_listener, place_names
from transforms.raw.importers.scrobbles import milliseconds, scrobble_batches, started
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.validate import QUARANTINE

_PREFIX = "lb:"
_PLACES = ("payload.listens", "payload", "listens")
_ACTIONS = {1: "like", -1: "dislike"}
_EXPORT = re.compile(r"listenbrainz_(.+?)_\d{9,}( \(\d+\))?|(.+)_lb-\d{4}-\d\d-\d\d( \(\d+\))?")
_ACCOUNT = "the name of an account, not a history"
_DEEPEST = 4
"""Folders between a file of listens and the ``user.json`` of its export: at most ``listens/2024``, and one more."""


class _Mapping(msgspec.Struct, gc=False):
    recording_mbid: str | None = None
    artist_mbids: list[str] | None = None


class _Info(msgspec.Struct, gc=False):
    recording_mbid: Any = None
    recording_msid: Any = None
    artist_mbids: Any = None
    duration_ms: Any = None
    duration: Any = None
    duration_played: Any = None
    media_player: Any = None


class _Metadata(msgspec.Struct, gc=False):
    artist_name: str | None = None
    track_name: str | None = None
    recording_msid: str | None = None
    additional_info: _Info | None = None
    mbid_mapping: _Mapping | None = None


class _Listen(msgspec.Struct, gc=False):
    track_metadata: _Metadata
    listened_at: int | float | str | None = None
    timestamp: int | float | str | None = None
    user_name: str | None = None
    user_id: int | str | None = None
    recording_msid: str | None = None


class _Named(msgspec.Struct, gc=False):
    user_name: str | None = None
    user_id: int | str | None = None


class _Feedback(msgspec.Struct, gc=False):
    score: int | None = None
    created: int | float | str | None = None
    recording_mbid: str | None = None
    recording_msid: str | None = None


_NO_INFO, _NO_MAPPING = _Info(), _Mapping()


def read(path: Path, *, user: str | None = None) -> Iterator[Batch | PassedOver]:
    """Yields the listens and the feedback of a path, file after file.

    Args:
        path: file, folder or archive.
        user: id of the only listener; by default what the export says.

    Raises:
        InputError: with a ``user``, the listens are of several people.
    """
    listed = list(members(LISTENBRAINZ.check(path)))
    accounts = _accounts(listed)
    if user:
        _refuse_several(path, listed, accounts)

    def read_member(member: Member) -> Iterator[Batch]:
        listener = user or _listener(path, member, accounts)
        if _is_feedback(first_object(member)):
            yield from _read_feedback(member, listener)
        else:
            yield from _read_listens(member, listener, is_named=user is not None)

    def why_not(member: Member) -> str:
        first = first_object(member)
        if "track_metadata" in first or _is_feedback(first) or _listens_place(first):
            return ""
        is_account = member.file_name == "user.json" and first.keys() & {"username", "user_name"}
        return _ACCOUNT if is_account else describe(member)

    for item in LISTENBRAINZ.each_member(path, read_member, why_not, listed=listed):
        if not (isinstance(item, PassedOver) and item.why == _ACCOUNT and path.name != item.name):
            yield item  # the account is read, not passed over


def _is_feedback(first: dict[str, Any]) -> bool:
    return {"score", "recording_mbid"} <= first.keys() or {"score", "recording_msid"} <= first.keys()


def _listens_place(first: dict[str, Any]) -> bool:
    payload = first.get("payload")
    return isinstance(payload, list) or (isinstance(payload, dict) and "listens" in payload)


def _read_listens(member: Member, listener: str | None, is_named: bool) -> Iterator[Batch]:
    is_answer = "track_metadata" not in first_object(member)
    for batch in records(member, *(_PLACES if is_answer else ()), shape=_Listen, size=BATCH_ROWS):
        rows = _columns(batch.rows, listener, is_named)
        yield from scrobble_batches(rows, "mb", "listenbrainz", batch.malformed, done=batch.done)


def _columns(listens: list[_Listen], listener: str | None, is_named: bool) -> pl.DataFrame:
    metadata = [listen.track_metadata for listen in listens]
    info = [item.additional_info or _NO_INFO for item in metadata]
    mapping = [item.mbid_mapping or _NO_MAPPING for item in metadata]
    times = _mixed([item.timestamp if item.listened_at is None else item.listened_at for item in listens])
    frame = pl.DataFrame(
        {
            "name": _texts(listens, "user_name"),
            "number": _texts(listens, "user_id"),
            "artist": _texts(metadata, "artist_name"),
            "title": _texts(metadata, "track_name"),
            "time": times.cast(pl.String),
            "started": started(times),
            "recording": _texts(info, "recording_mbid"),
            "matched": _texts(mapping, "recording_mbid"),
            "message": _texts(listens, "recording_msid"),
            "message_within": _texts(info, "recording_msid"),
            "message_beside": _texts(metadata, "recording_msid"),
            "performer": _firsts(info, "artist_mbids"),
            "matched_performer": _firsts(mapping, "artist_mbids"),
            "length": milliseconds(_mixed([item.duration_ms for item in info])),
            "seconds": milliseconds(_mixed([item.duration for item in info]), of=1_000),
            "ms_played": milliseconds(_mixed([item.duration_played for item in info]), of=1_000),
            "device": _texts(info, "media_player"),
        }
    )
    artist, title = pl.col("artist").str.strip_chars(), pl.col("title").str.strip_chars()
    recording = ("recording", "matched", "message", "message_within", "message_beside")
    names = () if is_named else ("name", "number")
    return frame.select(
        "artist",
        "title",
        "time",
        "started",
        "ms_played",
        "device",
        user_id=pl.coalesce(*(pl.lit(_PREFIX) + pl.col(name) for name in names), pl.lit(listener, pl.String)),
        track_id=pl.lit("mb:") + pl.coalesce(*recording, pl.concat_str(artist, title, separator="/")),
        artist_id=pl.lit("mb:") + pl.coalesce("performer", "matched_performer", artist),
        duration_ms=pl.coalesce("length", "seconds"),
    )


def _texts(rows: Sequence[Any], name: str) -> pl.Series:
    """A field of the rows; null where it is empty, or neither a text nor a number."""
    return _as_texts(list(map(attrgetter(name), rows)))


def _firsts(rows: Sequence[Any], name: str) -> pl.Series:
    """The first element of the list that a field of the rows is; null where there is none."""
    lists = map(attrgetter(name), rows)
    return _as_texts([values[0] if values and isinstance(values, list) else None for values in lists])


def _as_texts(values: list[Any]) -> pl.Series:
    try:
        texts = pl.Series(values, dtype=pl.String)
    except (TypeError, pl.exceptions.PolarsError):
        texts = pl.Series([str(value) if isinstance(value, int | str) else None for value in values], dtype=pl.String)
    return texts.set((texts == "").fill_null(False), None)


def _mixed(values: list[Any]) -> pl.Series:
    """Numbers as a column of numbers; where texts or too large numbers are among them, a column of texts."""
    try:
        return pl.Series(values, dtype=pl.Float64)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        texts = [str(value) if isinstance(value, int | float | str) else None for value in values]
        return pl.Series(texts, dtype=pl.String)


def _read_feedback(member: Member, listener: str | None) -> Iterator[Batch]:
    for batch in records(member, shape=_Feedback):
        tracks = [f"mb:{row.recording_mbid or row.recording_msid or ''}" for row in batch.rows]
        times = _mixed([row.created for row in batch.rows])
        frame = pl.DataFrame(
            {
                "user_id": pl.Series([listener] * len(batch.rows), dtype=pl.String),
                "track_id": pl.Series(tracks, dtype=pl.String),
                "action": pl.Series([_ACTIONS.get(row.score or 0) for row in batch.rows], dtype=pl.String),
                "event_timestamp": started(times).cast(MICROSECONDS_UTC),
            }
        )
        is_known = pl.all_horizontal(pl.all().is_not_null()) & (pl.col("track_id") != "mb:")
        reason = pl.lit("no feedback with a score of 1 or -1, a recording and a time")
        refused = frame.filter(~is_known).select(reason.alias("reason"), row=pl.col("track_id"))
        others = pl.DataFrame(batch.malformed, schema=QUARANTINE, orient="row")
        kept = frame.filter(is_known).with_columns(created_timestamp="event_timestamp")
        yield Batch("feedback", kept, pl.concat([others, refused]), batch.done)


def _accounts(listed: list[Member]) -> dict[str, str]:
    """Folder of each ``user.json`` within the path → name of the account."""
    accounts: dict[str, str] = {}
    for member in listed:
        is_account = member.file_name == "user.json" and not member.damage
        if is_account and (name := _account_name(first_object(member))):
            accounts[str(PurePosixPath(member.name).parent)] = name
    return accounts


def _listener(path: Path, member: Member, accounts: dict[str, str]) -> str | None:
    """Whose the listens are that do not say it; None if each of them does.

    By ``user.json`` in the folders above, within the path and above it, else by the name of the file or archive.
    """
    first = first_object(member)
    if "track_metadata" in first and {"user_name", "user_id"} & first.keys():
        return None  # each listen names its own
    answered = value_at(first, "payload.user_id")
    if answered:
        return f"{_PREFIX}{answered}"
    inner = (accounts.get(str(parent)) for parent in PurePosixPath(member.name).parents)
    above = path.absolute().parents if not is_archive_name(path.name) else ()
    outer = (_account_at(folder / "user.json") for folder in list(above)[:_DEEPEST])
    named = (_EXPORT.fullmatch(name) for name in [member.stem, *place_names(path, member)])
    by_name = (match[1] or match[3] for match in named if match)
    name = next((name for names in (inner, outer, by_name) for name in names if name), "")
    return f"{_PREFIX}{name}" if name else place_listener(_PREFIX.rstrip(":"), path, member)


def _account_at(path: Path) -> str:
    return _account_name(first_object(single(path))) if path.is_file() else ""


def _account_name(first: dict[str, Any]) -> str:
    name = first.get("username") or first.get("user_name")
    return name if isinstance(name, str) else ""


def _refuse_several(path: Path, listed: list[Member], accounts: dict[str, str]) -> None:
    names: set[str | int] = set(accounts.values())
    for member in listed:
        first = {} if member.damage else first_object(member)
        is_answer = _listens_place(first)
        if not is_answer and not {"user_name", "user_id"} & first.keys():
            continue
        if is_answer or "track_metadata" in first:
            for batch in records(member, *(_PLACES if is_answer else ()), shape=_Named, size=BATCH_ROWS):
                names |= {row.user_name or row.user_id or "" for row in batch.rows} - {""}
        if len(names) > 1:
            raise InputError(
                expected="with --user, the listens of one person",
                found=f"those of {', '.join(sorted(map(str, names))[:5])} in {path}",
                next_command=f"refrain import listenbrainz {path}  (each listener has an id)",
            )


LISTENBRAINZ = Format(
    "listenbrainz",
    "ListenBrainz' export of an account (the zip, a folder, or JSON), answers of its API, or files of a public dump",
    read,
    options=USER,
)
