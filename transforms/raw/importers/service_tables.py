"""What importers of a service's tables share: the columns that are wanted, by name, and rows that are no plays.

The tables hold addresses and devices too. Only the columns that an importer names are taken from a row, and a line that
cannot be read as a row is counted in quarantine without its text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import polars as pl

from feature_repo.definitions.events.plays import plays
from transforms.raw.files.numbers import read_numbers
from transforms.raw.files.rows import Malformed, RowBatch
from transforms.raw.files.times import read_times
from transforms.raw.validate import QUARANTINE

LARGEST = 2**40
"""Largest number that is kept as it is; a larger one is no length and no count."""

UNSTORED = "a line that may hold private fields, and is not stored"


class Rows(Protocol):
    """A ``Table`` or a ``Sheet``."""

    columns: list[str]
    decimal: str

    def batches(self) -> Iterator[RowBatch[list[str]]]:
        """Yields the rows."""


def has_columns(columns: Iterable[str], *names: str) -> bool:
    """Whether all names are among the columns, in any case, with any spaces or underscores.

    >>> has_columns(["Song Title", "ISRC"], "song_title")
    True
    """
    return {_key(name) for name in names} <= {_key(column) for column in columns}


def read_columns(table: Rows, names: Mapping[str, Sequence[str]]) -> tuple[pl.DataFrame, list[Malformed]]:
    """The wanted columns of a table, and the lines that are no rows.

    Args:
        table: the table.
        names: column of the result → the names that it may have in the table; of several that are there, the first
            one with a value counts. Names differ in case, spaces and underscores between releases of an export.

    Returns:
        (rows, columns) texts without spaces around them, null where there is none; and malformed lines without text.
    """
    places: dict[str, list[int]] = {column: [] for column in names}
    for column, choices in names.items():
        for choice in choices:
            places[column] += [n for n, name in enumerate(table.columns) if _key(name) == _key(choice)]
    cells: dict[str, list[str | None]] = {column: [] for column in names}
    malformed: list[Malformed] = []
    for batch in table.batches():
        malformed += [Malformed(item.reason, UNSTORED) for item in batch.malformed]
        for column, numbers in places.items():
            if len(numbers) == 1:
                cells[column].extend(row[numbers[0]] for row in batch.rows)
            else:
                cells[column].extend(next((row[n] for n in numbers if row[n].strip()), None) for row in batch.rows)
    texts = [pl.Series(column, values, pl.String).str.strip_chars() for column, values in cells.items()]
    return pl.DataFrame([text.set(text == "", None) for text in texts]), malformed


def with_times(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Reads columns of times; what cannot be read is null, with the reason in a column ``not_COLUMN``."""
    for column in columns:
        times = read_times(rows[column])
        reasons = pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
        reasons = reasons.scatter(list(times.refused), list(times.refused.values())) if times.refused else reasons
        rows = rows.with_columns(times.values.alias(column), reasons.alias(f"not_{column}"))
    return rows


def with_whole_numbers(rows: pl.DataFrame, decimal: str, *columns: str) -> pl.DataFrame:
    """Reads columns of numbers, which are rounded; null where there is none, and at most ``LARGEST``."""
    numbers = [read_numbers(rows[column], decimal).values.alias(column) for column in columns]
    return rows.with_columns(numbers).with_columns(pl.col(columns).round().clip(-LARGEST, LARGEST).cast(pl.Int64))


def part_refused(
    rows: pl.DataFrame, reasons: Mapping[str, pl.Expr], malformed: Iterable[Malformed] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Parts rows that are plays from the others.

    Args:
        rows: rows of a table.
        reasons: why a row is no play → whether it is so; the first one that is true counts.
        malformed: what is refused besides.

    Returns:
        The plays; and the others, with the columns of ``QUARANTINE``.
    """
    reason = pl.coalesce(pl.when(is_refused).then(pl.lit(why)) for why, is_refused in reasons.items())
    judged = rows.with_columns(reason=reason)
    shown = [name for name in rows.columns if not name.startswith("not_")]
    refused = judged.drop_nulls("reason").select("reason", row=pl.struct(shown).struct.json_encode())
    lines = pl.DataFrame(list(malformed), schema=QUARANTINE, orient="row")
    return judged.filter(pl.col("reason").is_null()).drop("reason"), pl.concat([lines, refused.cast(lines.schema)])  # type: ignore[arg-type]


def reasons_of(time: str = "event_timestamp", length: str = "ms_played") -> dict[str, pl.Expr]:
    """Why the time, the title or the length of a play is none, for ``part_refused`` after ``with_times``."""
    has_no_time = pl.col(time).is_null()
    return {
        "no time": has_no_time & pl.col(f"not_{time}").is_null(),
        "no such time, or one in the future": has_no_time,
        "names nothing played": pl.col("title").is_null(),
        "negative length": pl.col(length) < 0,
        "impossible length": pl.col(length) > plays.ranges["ms_played"][1],
    }


def name_id(prefix: str, artist: str = "artist_name", title: str = "title") -> pl.Expr:
    """The id of a track that has no other: by its names, which are the same in every export."""
    return pl.lit(f"{prefix}name:") + pl.col(artist).fill_null("") + "/" + pl.col(title).fill_null("")


def artist_id(prefix: str, artist: str = "artist_name") -> pl.Expr:
    """The id of an artist whom an export only names; null where it names none."""
    return pl.lit(f"{prefix}artist:") + pl.col(artist)


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


_DEVICES = {
    "tv": r"\btv|tvos|appletv|apple_tv|roku|playstation|xbox|chromecast",
    "car": r"\bcar\b|carplay|automotive",
    "speaker": r"homepod|sonos|speaker|alexa|echo|cast",
    "web": r"\bweb|browser",
    "phone": r"android|iphone|ipad|ipod|\bios\b|mobile",
    "desktop": r"windows|\bmac|macos|desktop|linux|itunes",
}


def device_of(column: str) -> pl.Expr:
    """The kind of device that a text names: a key of ``_DEVICES``, ``other``, or null where there is no text."""
    text = pl.col(column).str.to_lowercase()
    kinds = [pl.when(text.str.contains(signs)).then(pl.lit(kind)) for kind, signs in _DEVICES.items()]
    return pl.coalesce(*kinds, pl.when(text.is_not_null()).then(pl.lit("other")))


def end_of(start: str = "event_timestamp", length: str = "ms_played") -> pl.Expr:
    """The end of a play, from which it is known; its start where no length is known."""
    return pl.col(start) + pl.duration(milliseconds=pl.col(length).fill_null(0))
