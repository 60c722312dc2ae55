"""Yambda (Yandex Music, 2025): listens, likes and dislikes of a million listeners, with times but without a date.

``flat/SIZE/multi_event.parquet`` has all events; the files of one kind (``listens.parquet``, ``likes.parquet``, …) and
those of ``sequential/`` are read too where they are alone. Times are seconds since an unknown day: ``EPOCH`` stands for
it, so that hours and weekdays are not those of the listeners. A listen of less than half the track counts as skipped:
the authors count the others as positive. ``is_organic`` is the context, ``organic`` or ``recommended``. Artists are
those of the mapping beside.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.files.parquet import Parquet, is_parquet
from transforms.raw.importers.format import BATCH_ROWS, Format
from transforms.raw.importers.listening import played_batches
from transforms.raw.importers.service_tables import part_refused
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC

PREFIX = "yambda:"
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
"""Stands for the unknown day on which the data begin."""

PRECISION_S = 5
HEARD_PERCENT = 50
"""Share of a track from which on the authors count a listen as positive."""

LONGEST_S = 86_400
"""Longest length of a track."""

LAST_SECOND = 400 * 86_400
"""The data cover eleven months."""

MULTI_EVENT = "multi_event"
KINDS = {"listens": "listen", "likes": "like", "unlikes": "unlike", "dislikes": "dislike", "undislikes": "undislike"}
"""Name of a file of one kind of events → the kind."""

_EVENT = ["uid", "timestamp", "item_id"]
_COLUMNS = {
    "uid": pl.Int64(),
    "timestamp": pl.Int64(),
    "item_id": pl.Int64(),
    "is_organic": pl.Int64(),
    "played_ratio_pct": pl.Float64(),
    "track_length_seconds": pl.Int64(),
    "event_type": pl.String(),
}


def read(path: Path) -> Iterator[Batch | PassedOver]:
    """Yields the events of a path, file after file."""
    listed = list(members(YAMBDA.check(path)))
    parts = {member.name: columns for member in listed if (columns := _columns_of(member))}
    together = {str(PurePosixPath(name).parent) for name in parts if PurePosixPath(name).stem == MULTI_EVENT}
    artists = _artists(listed, parts)

    def why_not(member: Member) -> str:
        if not set(_EVENT) <= set(parts.get(member.name, [])):
            is_mapping = {"artist_id", "item_id"} <= set(parts.get(member.name, []))
            return "artists of tracks, which the tracks are stored with" if is_mapping else describe(member)
        is_again = member.stem != MULTI_EVENT and str(PurePosixPath(member.name).parent) in together
        return f"its events are in {MULTI_EVENT}.parquet" if is_again else ""

    yield from YAMBDA.each_member(path, lambda member: _read_events(member, artists), why_not, listed=listed)


def _columns_of(member: Member) -> list[str]:
    try:
        return Parquet(member).columns if not member.damage and is_parquet(member) else []
    except InputError:
        return []  # what is damaged is named when it is read


def _artists(listed: list[Member], parts: dict[str, list[str]]) -> pl.DataFrame:
    """The first artist of each track, of the mapping among the members; without rows if there is none."""
    found = [pl.DataFrame(schema={"item_id": pl.Int64, "artist": pl.Int64})]
    for member in listed:
        if {"artist_id", "item_id"} <= set(parts.get(member.name, [])):
            for rows, _ in Parquet(member).batches(["item_id", "artist_id"]):
                found.append(
                    rows.select(pl.col("item_id").cast(pl.Int64), pl.col("artist_id").cast(pl.Int64).alias("artist"))
                )
    return pl.concat(found).unique("item_id", keep="first", maintain_order=True)


def _read_events(member: Member, artists: pl.DataFrame) -> Iterator[Batch]:
    file = Parquet(member)
    columns = [name for name in _COLUMNS if name in file.columns]
    for rows, done in file.batches(columns, BATCH_ROWS):
        lists = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.List)]
        events = rows.explode(lists) if lists else rows
        for part in events.iter_slices(BATCH_ROWS):
            yield from _batches(_typed(part, KINDS.get(member.stem)), artists, done)


def _typed(rows: pl.DataFrame, kind: str | None) -> pl.DataFrame:
    given = [
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype, strict=False).alias(name)
        for name, dtype in _COLUMNS.items()
    ]
    return rows.select(given).with_columns(pl.col("event_type").fill_null(pl.lit(kind, pl.String)))


def _batches(rows: pl.DataFrame, artists: pl.DataFrame, done: float) -> Iterator[Batch]:
    kinds = list(KINDS.values())
    seconds = pl.col("timestamp")
    reasons = {
        "no listener": pl.col("uid").is_null(),
        "no track": pl.col("item_id").is_null(),
        "no time": seconds.is_null(),
        "not within the months of the data": (seconds < 0) | (seconds > LAST_SECOND),
        "impossible length": ~pl.col("track_length_seconds").is_between(0, LONGEST_S),
        "no known kind of event": ~pl.col("event_type").is_in(kinds).fill_null(False),
    }
    events, malformed = part_refused(rows, reasons)
    moment = (pl.lit(EPOCH) + pl.duration(seconds=seconds)).cast(MICROSECONDS_UTC)
    nearby = artists.join(events, on="item_id", how="semi")  # a join with all ten million would be the slowest step
    events = events.join(nearby, on="item_id", how="left", maintain_order="left").with_columns(
        user_id=pl.lit(PREFIX) + pl.col("uid").cast(pl.String),
        track_id=pl.lit(PREFIX) + pl.col("item_id").cast(pl.String),
        artist_id=pl.lit(f"{PREFIX}artist:") + pl.col("artist").cast(pl.String),
        event_timestamp=moment,
    )
    is_listen = pl.col("event_type") == "listen"
    length_ms = pl.col("track_length_seconds") * 1_000
    share = pl.col("played_ratio_pct") / 100
    # listens of one track within five seconds have one time, and are several
    turn = pl.int_range(pl.len()).over("uid", "item_id", "timestamp")
    listens = events.filter(is_listen).with_columns(
        event_timestamp=pl.col("event_timestamp") + pl.duration(microseconds=turn),
        duration_ms=length_ms,
        ms_played=(length_ms * share).round().cast(pl.Int64, strict=False),
        skipped=pl.col("played_ratio_pct") < HEARD_PERCENT,
        context=pl.col("is_organic").replace_strict({1: "organic", 0: "recommended"}, default=None),
        reported_by=pl.lit("yambda"),
        precision_s=pl.lit(PRECISION_S),
    )
    yield from played_batches(listens, malformed, done=done)
    feedback = events.filter(~is_listen).select("user_id", "track_id", "event_timestamp", action="event_type")
    if feedback.height:
        for table, entity in (("tracks", "track_id"), ("users", "user_id")):
            first = feedback.sort("event_timestamp").unique(entity, keep="first", maintain_order=True)
            yield Batch(table, first.select(entity, "event_timestamp"), done=done)
        yield Batch("feedback", feedback, done=done)


YAMBDA = Format("yambda", "Yambda's Parquet files: the folder, flat/SIZE, or multi_event.parquet", read)
