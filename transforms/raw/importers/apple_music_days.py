"""Plays of Apple Music by day: how often a track was played on a day, and in which hours of the listener's clock."""

from collections.abc import Iterator

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize
from transforms.raw.importers.service_exports import Played
from transforms.raw.importers.service_tables import (
    artist_id,
    name_id,
    part_refused,
    read_columns,
    reasons_of,
    with_times,
    with_whole_numbers,
)

DAILY = ("Date Played", "Track Description", "Play Count")
"""Columns by which the table is known."""

MOST_PLAYS = 1_440
"""Plays of one track on one day; more are no count."""

_COLUMNS = {
    "description": ["Track Description"],
    "event_timestamp": ["Date Played"],
    "hours": ["Hours"],
    "ms_played": ["Play Duration Milliseconds"],
    "count": ["Play Count"],
    "skips": ["Skip Count"],
    "end_reason": ["End Reason Type"],
    "country": ["Country"],
}


def plays_by_day(member: Member, prefix: str) -> Iterator[Played]:
    """Yields a play for each that a row counts, in its hours one after another, each with its share of the time.

    A day that was only skipped counts its skips. Hours are taken as UTC: the file does not say the zone.

    Args:
        member: the table.
        prefix: what ids begin with.
    """
    table = Table(recognize(member))
    rows, lines = read_columns(table, _COLUMNS)
    rows = with_whole_numbers(with_times(rows, "event_timestamp"), table.decimal, "ms_played", "count", "skips")
    names = pl.col("description").str.splitn(" - ", 2).struct
    rows = rows.with_columns(
        artist_name=pl.when(names[1].is_not_null()).then(names[0].str.strip_chars()),
        title=pl.coalesce(names[1], names[0]).str.strip_chars(),
        hours=pl.col("hours").str.extract_all(r"\b(?:[01]?\d|2[0-3])\b").cast(pl.List(pl.Int64)),
    )
    is_skipped = (pl.col("count") == 0) & (pl.col("skips") > 0)
    rows = rows.with_columns(
        plays=pl.when(is_skipped).then("skips").otherwise("count"),
        skipped=pl.when(is_skipped).then(True).when(pl.col("skips") == 0).then(False),
    )
    reasons = {
        "no count of plays": pl.col("plays").is_null() | (pl.col("plays") < 0),
        "more plays than a day has minutes": pl.col("plays") > MOST_PLAYS,
        **{why: is_wrong for why, is_wrong in reasons_of().items() if why != "impossible length"},
    }
    counted, malformed = part_refused(rows, reasons, lines)
    number = pl.int_ranges(0, pl.col("plays")).alias("number_of_play")
    plays = counted.filter(pl.col("plays") > 0).with_columns(number).explode("number_of_play")
    turn, known_hours = pl.col("number_of_play"), pl.col("hours").list.len().fill_null(0)
    hour = pl.when(known_hours > 0).then(pl.col("hours").list.get(turn % known_hours.clip(1), null_on_oob=True))
    has_hour = hour.is_not_null()
    # plays of one hour are several, though nothing but their count says so
    moment = pl.col("event_timestamp") + pl.duration(hours=hour.fill_null(0), microseconds=turn // known_hours.clip(1))
    yield Played(
        plays.select(
            "title",
            "artist_name",
            "country",
            "skipped",
            track_id=name_id(prefix),
            artist_id=artist_id(prefix),
            ms_played=pl.col("ms_played") // pl.col("plays"),
            event_timestamp=moment,
            precision_s=pl.when(has_hour).then(3_600).otherwise(86_400),
            reported_by=pl.lit("apple music daily tracks"),
        ),
        malformed,
        done=member.size,
    )
