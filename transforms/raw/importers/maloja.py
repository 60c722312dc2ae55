"""Maloja: the export of a self-hosted server of scrobbles (``maloja export``).

A scrobble may have several artists; the first is the performer by whom plays of other services are met. The export
names nobody: its listener is that of the folder it is in, or ``--user``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.records import first_object, records
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.place_listener import place_listener
from transforms.raw.importers.scrobbles import milliseconds, scrobble_batches, started
from transforms.raw.ingest import Batch


class _Track(msgspec.Struct, gc=False):
    artists: list[str] | str | None = None
    title: str | None = None
    length: int | float | None = None


class _Scrobble(msgspec.Struct, gc=False):
    track: _Track
    time: int | float | None = None
    duration: int | float | None = None


def read(path: Path, *, user: str | None = None) -> Iterator[Batch | PassedOver]:
    """Yields the scrobbles of a path, file after file.

    Args:
        path: file, folder or archive.
        user: id of the listener; by default that of the folder.
    """

    def read_member(member: Member) -> Iterator[Batch]:
        yield from _read_member(member, user or place_listener("maloja", path, member))

    yield from MALOJA.each_member(MALOJA.check(path), read_member, _why_not)


def _why_not(member: Member) -> str:
    first = first_object(member)
    is_export = isinstance(first.get("scrobbles"), list) and "username" not in first
    return "" if is_export or {"time", "track", "origin"} <= first.keys() else describe(member)


def _read_member(member: Member, listener: str) -> Iterator[Batch]:
    for batch in records(member, "scrobbles", shape=_Scrobble):
        tracks = [row.track for row in batch.rows]
        times = pl.Series([row.time for row in batch.rows], dtype=pl.Float64)
        rows = pl.DataFrame(
            {
                "user_id": pl.Series([listener] * len(tracks), dtype=pl.String),
                "artist": pl.Series([_performer(track.artists) for track in tracks], dtype=pl.String),
                "title": pl.Series([track.title for track in tracks], dtype=pl.String),
                "time": times.cast(pl.String),
                "started": started(times),
                "duration_ms": _lengths([track.length for track in tracks]),
                "ms_played": _lengths([row.duration for row in batch.rows]),
            }
        )
        yield from scrobble_batches(rows, "maloja", "maloja", batch.malformed, done=batch.done)


def _performer(artists: list[str] | str | None) -> str | None:
    return next(iter(artists), None) if isinstance(artists, list) else artists


def _lengths(seconds: list[Any]) -> pl.Series:
    return milliseconds(pl.Series(seconds, dtype=pl.Float64), of=1_000)


MALOJA = Format("maloja", "exports of Maloja: maloja_export_….json, or a folder or zip of them", read, options=USER)
