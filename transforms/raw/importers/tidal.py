"""TIDAL: the personal data of an account, whose streams are in ``streaming.csv``.

There are no ids of tracks: theirs are made of the names. Times are the starts, in UTC as far as the export says.
Regions and cities are not read.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from feature_repo.home import Home
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.service_exports import Played, Service
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

PREFIX = "tidal:"
_COLUMNS = {
    "artist_name": ["artist_name"],
    "title": ["track_title"],
    "event_timestamp": ["entry_date"],
    "ms_played": ["stream_duration_ms"],
    "product": ["product_type"],
    "client": ["client_name_from_session", "client_name"],
}
_MUSIC = ["TRACK", "VIDEO"]


def read(path: Path, home: Home | None = None, *, user: str | None = None) -> Iterator[Batch | PassedOver]:
    """Yields the streams of a path; ``user`` is the listener's id, by default that of ``export_listeners``."""
    yield from Service(TIDAL, _is_history, _plays_of).read(path, home, user)


def _is_history(member: Member) -> bool:
    if not member.file_name.lower().endswith((".csv", ".tsv", ".txt")):
        return False
    return has_columns(Table(recognize(member)).columns, "track_title", "entry_date", "stream_duration_ms")


def _plays_of(member: Member) -> Iterator[Played]:
    table = Table(recognize(member))
    rows, lines = read_columns(table, _COLUMNS)
    rows = with_whole_numbers(with_times(rows, "event_timestamp"), table.decimal, "ms_played")
    is_music = pl.col("product").str.to_uppercase().is_in(_MUSIC).fill_null(True)
    others = rows.filter(~is_music)["product"].str.to_lowercase().value_counts()
    streams, malformed = part_refused(rows.filter(is_music), reasons_of(), lines)
    played = streams.with_columns(
        track_id=name_id(PREFIX),
        artist_id=artist_id(PREFIX),
        device=device_of("client"),
        created_timestamp=end_of(),
        reported_by=pl.lit("tidal"),
    )
    left_out = {f"of the product {product}, no music": count for product, count in others.iter_rows()}
    yield Played(played, malformed, left_out, member.size)


TIDAL = Format("tidal", "TIDAL's personal data: a zip as downloaded, a folder, or streaming.csv", read, options=USER)
