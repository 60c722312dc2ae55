"""The data sets Last.fm 1K (plays of 992 listeners) and Last.fm 360K (play counts of 359,347), by Òscar Celma.

Text between tabs without quoting and without a header, but for the profiles of 1K. The counts are one snapshot
without a date, stamped with the release, so that no training row before it can see them.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from transforms.raw.files.members import Member, members
from transforms.raw.files.rows import Malformed, RowBatch, frame
from transforms.raw.files.streams import is_archive_name
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize, storable
from transforms.raw.files.times import read_times
from transforms.raw.importers.scrobbles import scrobble_batches
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.validate import QUARANTINE

COLLECTED_SINCE = datetime(2005, 1, 1, tzinfo=UTC)
RELEASED = datetime(2010, 3, 31, tzinfo=UTC)

_PLAYS = ["user", "time", "artist_mbid", "artist", "track_mbid", "title"]
_COUNTS = ["user", "artist_mbid", "artist", "plays"]
_PROFILES = ["user", "gender", "age", "country", "registered"]
_PROFILE_NAME = "-profile.tsv"
_PROFILE_HEADER = "#id\tgender\tage\tcountry\tregistered"
_USER = r"user_\d{6}"
_SHA1 = r"[0-9a-f]{40}"
_MBID = r"[0-9a-f-]{36}|"
_PLAY_LINE = re.compile(rf"{_USER}\t\d{{4}}-\d\d-\d\dT[\d:]+Z\t({_MBID})\t[^\t]*\t({_MBID})\t[^\t]*")
_COUNT_LINE = re.compile(rf"{_SHA1}\t({_MBID})\t[^\t]*\t *\d+ *")
_PROFILE_LINE = re.compile(rf"({_SHA1}|{_USER})\t[mf]?\t-?\d*\t[^\t\d]*\t([A-Z][a-z]{{2}} \d+, \d{{4}})?")

Reader = Callable[[Member, str], Iterator[Batch]]


class Profiles:
    """The profiles in a path or beside it, which are read when the plays need them.

    Args:
        path: what is read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frame: pl.DataFrame | None = None

    def of(self, users: pl.Series) -> pl.DataFrame:
        """(users,) country and gender of listeners' ids; null where no profile says it."""
        if self._frame is None:
            is_whole = self._path.is_dir() or is_archive_name(self._path.name)
            paths = [self._path] if is_whole else sorted(self._path.parent.glob(f"*{_PROFILE_NAME}"))
            profiles = [
                member for path in paths for member in members(path) if member.file_name.endswith(_PROFILE_NAME)
            ]
            frames = [rows for member in profiles if not member.damage for rows, _ in _profiles(member)]
            empty = pl.DataFrame(schema={"user_id": pl.String, "country": pl.String, "gender": pl.String})
            self._frame = pl.concat([empty, *(rows.select(empty.columns) for rows in frames)]).unique("user_id")
        return users.to_frame("user_id").join(self._frame, on="user_id", how="left", maintain_order="left")


def celma_reader(head: str, profiles: Profiles) -> Reader | None:
    """The function that reads a file of the data sets, by its first lines; None if it is none of them.

    >>> celma_reader("#id\\tgender\\tage\\tcountry\\tregistered\\n", Profiles(Path())) is not None
    True
    """
    lines = [line for line in head.splitlines()[:50] if line.strip()]
    forms: tuple[tuple[re.Pattern[str], Reader], ...] = (
        (_PLAY_LINE, lambda member, _: _read_plays(member, profiles)),
        (_COUNT_LINE, _read_counts),
        (_PROFILE_LINE, _read_profiles),
    )
    if lines and lines[0].lower().startswith(_PROFILE_HEADER):
        return _read_profiles
    for form, read in forms:
        if 2 * sum(form.fullmatch(line) is not None for line in lines) > len(lines):
            return read
    return None


def _batches(member: Member, columns: list[str]) -> Iterator[tuple[pl.DataFrame, RowBatch[list[str]]]]:
    table = Table(recognize(member), delimiter="\t", header=False, quoted=False)
    table.columns = columns  # so many cells a row, whatever the first has
    for batch in table.batches():
        yield frame(columns, batch.rows), batch


def _read_plays(member: Member, profiles: Profiles) -> Iterator[Batch]:
    for rows, batch in _batches(member, _PLAYS):
        times = rows["time"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False)
        scrobbles = rows.select("artist", "title", "time", user_id=_user(), started=times)
        for item in scrobble_batches(scrobbles, "lastfm", "last.fm 1K users", batch.malformed, done=batch.done):
            if item.table == "users":
                known = profiles.of(item.rows["user_id"])
                rows_of_users = item.rows.drop("country").with_columns(known["country"], known["gender"])
                yield Batch("users", rows_of_users, done=item.done)
            else:
                yield item


def _read_counts(member: Member, _: str) -> Iterator[Batch]:
    for rows, batch in _batches(member, _COUNTS):
        artist, count = pl.col("artist").str.strip_chars(), pl.col("plays").str.strip_chars()
        reason = pl.coalesce(
            pl.when(~pl.col("user").str.contains(rf"^{_SHA1}$")).then(pl.lit("the user is no SHA-1")),
            pl.when((artist == "") & (pl.col("artist_mbid") == "")).then(pl.lit("no artist")),
            pl.when(count.cast(pl.UInt32, strict=False).is_null()).then(pl.lit("no play count")),
        )
        refused = rows.select(reason.alias("reason"), row=pl.concat_str(_COUNTS, separator="\t")).drop_nulls("reason")
        name = pl.when(artist == "").then(pl.col("artist_mbid")).otherwise(artist)
        counts = rows.filter(reason.is_null()).select(
            user_id=_user(),
            artist_id=pl.lit("lastfm:artist:") + name,
            name=name,
            plays=count.cast(pl.Int64),
        )
        since, released = (pl.lit(moment).cast(MICROSECONDS_UTC) for moment in (COLLECTED_SINCE, RELEASED))
        known = counts.with_columns(event_timestamp=since)
        # one name with two ids of MusicBrainz is one artist
        totals = counts.group_by("user_id", "artist_id", maintain_order=True).agg(pl.col("plays").sum())
        artists = known.select("artist_id", "name", "event_timestamp").unique("artist_id", maintain_order=True)
        yield Batch("artists", artists, done=batch.done)
        users = known.select("user_id", "event_timestamp").unique("user_id", maintain_order=True)
        yield Batch("users", users, done=batch.done)
        totals = totals.with_columns(event_timestamp=released)
        yield Batch("play_counts", totals, _quarantined(batch, refused), batch.done)


def _read_profiles(member: Member, _: str) -> Iterator[Batch]:
    for rows, batch in _profiles(member):
        refused = rows.filter(pl.col("event_timestamp").is_null()).select(
            reason=pl.lit("no day of registration"), row=pl.col("user_id")
        )
        yield Batch("users", rows.drop_nulls("event_timestamp"), _quarantined(batch, refused), batch.done)


def _profiles(member: Member) -> Iterator[tuple[pl.DataFrame, RowBatch[list[str]]]]:
    for table, batch in _batches(member, _PROFILES):
        rows = table.filter(~pl.col("user").str.starts_with("#"))
        yield (
            rows.select(
                user_id=_user(),
                country=pl.when(pl.col("country") != "").then("country"),
                gender=pl.when(pl.col("gender") != "").then("gender"),
                event_timestamp=read_times(rows["registered"]).values,
            ),
            batch,
        )


def _user() -> pl.Expr:
    return pl.lit("lastfm:") + pl.col("user")


def _quarantined(batch: RowBatch[list[str]], refused: pl.DataFrame) -> pl.DataFrame:
    rows = [Malformed(reason, storable(row)) for reason, row in refused.iter_rows()]
    return pl.DataFrame([*batch.malformed, *rows], schema=QUARANTINE, orient="row")
