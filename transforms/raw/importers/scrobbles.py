"""What importers of scrobbles share: from rows of artist, title and start to plays, and why a row is none."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import polars as pl

from transforms.raw.files.rows import Malformed
from transforms.raw.files.times import NUMERIC, read_times
from transforms.raw.importers.listening import PLAYED, played_batches
from transforms.raw.ingest import Batch
from transforms.raw.table import CLOCK_TOLERANCE, MICROSECONDS_UTC
from transforms.raw.validate import QUARANTINE

FOUNDED = datetime(2002, 10, 1, tzinfo=UTC)
"""When scrobbling began; earlier times are of players without a clock, such as 1970."""

_LONGEST_S = 86_400
_CLOCK_S, _MINUTES = r"\d:\d\d:\d\d", r"\d:\d\d"
_FAR = 253_402_300_799_000_000
_UNITS = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))
"""Numbers below a limit → microseconds of their unit: seconds, milliseconds, microseconds since 1970."""


def scrobble_batches(
    rows: pl.DataFrame,
    service: str,
    reported_by: str,
    malformed: Sequence[Malformed] = (),
    *,
    done: float = 0,
) -> Iterator[Batch]:
    """Yields what ``played_batches`` does for the rows that are plays; the others are malformed, with a reason.

    Args:
        rows: scrobbles with ``user_id``, ``artist``, ``title``, ``time`` as it is written, ``started`` (microseconds in
            UTC, null where ``time`` is none), and columns of ``PLAYED`` if there are. Without a ``track_id`` or an
            ``artist_id``, these are made of the names, which all layouts of a service have, and ids of MusicBrainz have
            only in part.
        service: prefix of the ids.
        reported_by: the form of the export, unless the rows have a column of it.
        malformed: rows that are no scrobbles.
        done: amount of the source that is read.
    """
    names = [_name(column) for column in ("artist", "title")]
    rows = rows.with_columns(names)
    refused = rows.select(_reason().alias("reason"), row=_shown()).drop_nulls("reason")
    if refused.height:
        rows = rows.filter(_reason().is_null())
    ids = {
        "track_id": pl.format("{}:track:{}/{}", pl.lit(service), "artist", "title"),
        "artist_id": pl.format("{}:artist:{}", pl.lit(service), "artist"),
        "reported_by": _form(reported_by, rows.columns),
    }
    played = rows.with_columns(
        artist_name="artist",
        event_timestamp="started",
        **{name: value for name, value in ids.items() if name not in rows.columns},
    )
    others = pl.DataFrame(list(malformed), schema=QUARANTINE, orient="row")
    columns = [name for name in PLAYED if name in played.columns]
    yield from played_batches(played.select(columns), pl.concat([others, refused]), done=done)


def started(times: pl.Series) -> pl.Series:
    """The starts that a column of numbers or texts says, in microseconds of UTC; 1970 stays what it is.

    A number is in seconds, milliseconds or microseconds since 1970, by its size; texts are read as a whole column.

    >>> started(pl.Series(["1704995043", "1704995043000", "0"])).dt.year().to_list()
    [2024, 2024, 1970]
    """
    if times.dtype.is_numeric() or times.dtype == pl.Null:
        return _of_numbers(times.cast(pl.Float64, strict=False))
    texts = times.cast(pl.String, strict=False).str.strip_chars()
    is_number = texts.str.contains(NUMERIC) & (texts.str.len_chars() != 8)
    numbers = _of_numbers(texts.set(~is_number.fill_null(False), None).cast(pl.Float64, strict=False))
    words = texts.set(is_number.fill_null(False) | (texts == ""), None)
    return numbers if words.null_count() == len(words) else numbers.zip_with(numbers.is_not_null(), _of_words(words))


def precision(times: str) -> pl.Expr:
    """The seconds that texts of times are cut to: 60 where they have minutes only, null for numbers and seconds.

    >>> times = pl.DataFrame({"time": ["11 Jan 2024, 17:44", "2024-01-11 17:44:03"]})
    >>> times.select(precision("time"))["time"].to_list()
    [60, None]
    """
    text = pl.col(times).cast(pl.String)
    is_exact = text.str.contains(NUMERIC) | text.str.contains(_CLOCK_S)
    by_minute = pl.when(text.str.contains(_MINUTES)).then(60).otherwise(_LONGEST_S)
    return pl.when(~is_exact).then(by_minute).cast(pl.Int64).alias(times)


def milliseconds(values: pl.Series, of: int = 1) -> pl.Series:
    """Lengths in milliseconds, of numbers or texts of them; null for 0, for what is negative, and for more than a day.

    >>> milliseconds(pl.Series(["84", "", "-1"]), of=1_000).to_list()
    [84000, None, None]
    """
    numbers = values.cast(pl.Float64, strict=False) * of
    is_length = ((numbers > 0) & (numbers <= _LONGEST_S * 1_000)).fill_null(False)
    return numbers.set(~is_length, None).round().cast(pl.Int64)


def _of_numbers(numbers: pl.Series) -> pl.Series:
    size = numbers.abs()
    micros = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(numbers))
    for limit, scale in reversed(_UNITS):
        micros = micros.zip_with((size >= limit).fill_null(True), numbers * scale)
    micros = micros.set(((micros.abs() > _FAR) | micros.is_nan()).fill_null(False), None)
    return micros.round().cast(pl.Int64).cast(MICROSECONDS_UTC)


def _of_words(texts: pl.Series) -> pl.Series:
    read = read_times(texts)
    early = texts.set(~texts.str.contains(r"\b19[67]\d\b").fill_null(False), None)
    if early.null_count() == len(early):
        return read.values
    epoch = pl.Series([datetime(1970, 1, 1, tzinfo=UTC)], dtype=MICROSECONDS_UTC).new_from_index(0, len(texts))
    return read.values.zip_with(read.values.is_not_null() | early.is_null(), epoch)


def _form(reported_by: str, columns: list[str]) -> pl.Expr:
    """A form with cut times is another one: equal times of two plays say less there."""
    if "precision_s" not in columns:
        return pl.lit(reported_by)
    is_exact = pl.col("precision_s").is_null()
    return pl.when(is_exact).then(pl.lit(reported_by)).otherwise(pl.lit(f"{reported_by} by minute"))


def _name(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text).alias(column)


def _reason() -> pl.Expr:
    moment, time = pl.col("started"), pl.col("time").cast(pl.String).fill_null("")
    reasons = {
        "no time: playing now": (time.str.strip_chars() == "") & moment.is_null(),
        "no time of a known form": moment.is_null(),
        "before scrobbling began, such as 1970: a player without a clock": moment < FOUNDED,
        "in the future": moment > datetime.now(UTC) + CLOCK_TOLERANCE,
        "no listener": pl.col("user_id").is_null(),
        "no artist": pl.col("artist").is_null(),
        "no title": pl.col("title").is_null(),
    }
    return pl.coalesce(pl.when(is_broken).then(pl.lit(reason)) for reason, is_broken in reasons.items())


def _shown() -> pl.Expr:
    """A refused row: its names and its time, nothing else of it."""
    return pl.struct("artist", "title", pl.col("time").cast(pl.String)).struct.json_encode()
