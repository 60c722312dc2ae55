"""What importers of listening histories share: from plays as a service exports them to rows of the raw tables."""

from collections.abc import Iterator, Mapping

import polars as pl

from transforms.pure.text.spelling import spelled
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.validate import QUARANTINE

PLAYED: dict[str, pl.DataType] = {
    "user_id": pl.String(),
    "country": pl.String(),
    "track_id": pl.String(),
    "title": pl.String(),
    "artist_id": pl.String(),
    "artist_name": pl.String(),
    "duration_ms": pl.Int64(),
    "ms_played": pl.Int64(),
    "skipped": pl.Boolean(),
    "context": pl.String(),
    "device": pl.String(),
    "event_timestamp": MICROSECONDS_UTC,
    "created_timestamp": MICROSECONDS_UTC,
    "reported_by": pl.String(),
    "precision_s": pl.Int64(),
}
"""Columns of ``played_batches``: one row per play of music. Those that a service does not export may be left out.

``event_timestamp`` is the start of the play, ``created_timestamp`` the moment from which it was known: its end, or the
start where that is all there is. ``reported_by`` names the form of the export, such as "spotify account data";
``precision_s`` the seconds that its times are cut to (60 for minutes), null for a second or finer.
"""

_REQUIRED = ("user_id", "track_id", "event_timestamp", "reported_by")
_MOMENT = "event_timestamp"


def played_batches(
    played: pl.DataFrame,
    malformed: pl.DataFrame | None = None,
    *,
    left_out: Mapping[str, int] | None = None,
    done: float = 0,
    total: float = 0,
) -> Iterator[Batch]:
    """Yields artists, tracks, listeners and plays, each stamped with its first play among the rows.

    Args:
        played: rows with columns of ``PLAYED``, in any order.
        malformed: elements that are no play, with the columns of ``QUARANTINE``.
        left_out: plays that are not wanted, as ``Batch.left_out``.
        done: amount of the source that is read, out of ``total``.
        total: size of the source.

    >>> from datetime import UTC, datetime
    >>> row = {"user_id": "lb:mira", "track_id": "mb:1", "title": "Halo", "artist_id": "mb:2", "artist_name": "Beyoncé"}
    >>> row |= {"event_timestamp": datetime(2024, 3, 1, tzinfo=UTC), "reported_by": "listenbrainz"}
    >>> [(batch.table, batch.rows.height) for batch in played_batches(pl.DataFrame([row]))]
    [('artists', 1), ('tracks', 1), ('users', 1), ('plays', 1)]
    """
    missing = [name for name in _REQUIRED if name not in played.columns]
    assert not missing, f"played rows lack {missing}"
    rows = played.select(
        (pl.col(name) if name in played.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in PLAYED.items()
    ).with_columns(pl.col("created_timestamp").fill_null(pl.col(_MOMENT)))
    refused = pl.DataFrame(schema=QUARANTINE) if malformed is None else malformed

    artist: list[str | pl.Expr] = ["artist_id", pl.col("artist_name").alias("name")]
    track: list[str | pl.Expr] = ["track_id", "artist_id", "artist_name", "title", "duration_ms"]
    yield Batch("artists", _first_seen(rows.drop_nulls("artist_id"), artist), done=done, total=total)
    yield Batch("tracks", _first_seen(rows, track), done=done, total=total)
    yield Batch("users", _first_seen(rows, ["user_id", "country"]), done=done, total=total)
    yield Batch("plays", _with_recording(rows), refused, done, total, left_out or {})


def _first_seen(rows: pl.DataFrame, columns: list[str | pl.Expr]) -> pl.DataFrame:
    """Each entity once, with what its earliest play says of it, and the start of that play."""
    entity = str(columns[0])
    return (
        rows.select(*columns, _MOMENT).sort(_MOMENT, nulls_last=True).unique(entity, keep="first", maintain_order=True)
    )


def _with_recording(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds the ``recording`` by which plays of several services meet; null where the title is not known."""
    names = rows.select("title", "artist_name").unique(maintain_order=True).drop_nulls()
    recordings = pl.Series("recording", [recording(*row) for row in names.iter_rows()], dtype=pl.String)
    return rows.join(names.with_columns(recordings), on=["title", "artist_name"], how="left", maintain_order="left")


def recording(title: str, artist: str) -> str:
    """What a title and its first performer come to in any spelling; another version is another recording.

    >>> recording("Don’t Wake the Moon", "The Oort Gardeners") == recording("Don't wake the moon", "oort gardeners")
    True
    >>> recording("Halo", "Beyoncé"), recording("Halo (Live)", "Beyoncé")
    ('beyonce/halo', 'beyonce/halo/live')
    """
    spelling = spelled(title, artist)
    name, performer = spelling.key
    return "/".join([performer, name, *sorted(spelling.versions)])
