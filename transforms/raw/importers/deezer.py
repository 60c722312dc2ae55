"""Deezer: the personal data of an account, a workbook; its sheet ``10_listeningHistory``, or that sheet as a CSV file.

A workbook's name holds the number of the account, which is the listener. Times are the starts, taken as UTC; a length
of -1 is none. Tracks are identified by their ISRC, or else by their names; several artists of a cell stay together,
since a comma may be part of a name. IP addresses are not read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from feature_repo.home import Home
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.sheet import Sheet
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.service_exports import Played, Service, folder_of
from transforms.raw.importers.service_tables import (
    artist_id,
    device_of,
    end_of,
    has_columns,
    name_id,
    part_refused,
    read_columns,
    reasons_of,
    with_times,
    with_whole_numbers,
)
from transforms.raw.ingest import Batch

PREFIX = "deezer:"
SHEET = "10_listeningHistory"
_COLUMNS = {
    "title": ["Song Title", "Title"],
    "artist_name": ["Artist", "Artist Name"],
    "isrc": ["ISRC"],
    "seconds": ["Listening Time"],
    "platform": ["Platform Name"],
    "event_timestamp": ["Date"],
}
_ACCOUNT = re.compile(r"deezer[-_]data[-_](\d+)")


def read(path: Path, home: Home | None = None, *, user: str | None = None) -> Iterator[Batch | PassedOver]:
    """Yields the history of a path; ``user`` is the listener's id, by default that of ``export_listeners``."""
    service = Service(DEEZER, _is_history, _plays_of, _account_of, _place_of)
    yield from service.read(path, home, user)


def _is_history(member: Member) -> bool:
    if not member.file_name.lower().endswith((".xlsx", ".xlsm", ".csv", ".tsv", ".txt")):
        return False
    return has_columns(_opened(member).columns, "Song Title", "Listening Time", "Date")


def _opened(member: Member) -> Sheet | Table:
    if member.file_name.lower().endswith((".xlsx", ".xlsm")):
        return Sheet(member, SHEET)
    return Table(recognize(member))


def _account_of(member: Member) -> str:
    match = _ACCOUNT.match(member.file_name)
    return match[1] if match else ""


def _place_of(member: Member) -> str:
    return "/".join(filter(None, [folder_of(member), _account_of(member)]))


def _plays_of(member: Member) -> Iterator[Played]:
    table = _opened(member)
    rows, lines = read_columns(table, _COLUMNS)
    rows = with_whole_numbers(with_times(rows, "event_timestamp"), table.decimal, "seconds")
    seconds = pl.col("seconds")
    rows = rows.with_columns(ms_played=pl.when(seconds != -1).then(seconds * 1_000)).drop("seconds")
    streams, malformed = part_refused(rows, reasons_of(), lines)
    played = streams.with_columns(
        track_id=pl.coalesce(pl.lit(f"{PREFIX}isrc:") + pl.col("isrc").str.to_uppercase(), name_id(PREFIX)),
        artist_id=artist_id(PREFIX),
        device=device_of("platform"),
        created_timestamp=end_of(),
        reported_by=pl.lit("deezer"),
    )
    yield Played(played, malformed, done=member.size)


DEEZER = Format(
    "deezer",
    f"Deezer's personal data: deezer-data_….xlsx, a folder or zip with it, or its sheet {SHEET} as a CSV file",
    read,
    options=USER,
)
