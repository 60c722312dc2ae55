"""What a format of metrics is, and what its reader returns."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.numbers import read_numbers
from transforms.raw.files.rows import Malformed
from transforms.raw.files.text import storable
from transforms.raw.files.times import read_times
from transforms.raw.table import MICROSECONDS_UTC

_KEYS: dict[str, pl.DataType] = {"entity": pl.String(), "metric": pl.String(), "time": MICROSECONDS_UTC}
CELLS = _KEYS | {"text": pl.String()}
POINTS = _KEYS | {"value": pl.Float64()}

_NO_NUMBER = re.compile(r"^(?:[+-]?(?:nan|inf(?:inity)?)|null|none|n/?a|-)$", re.IGNORECASE)
_SHOWN = 3


@dataclass(frozen=True)
class Choice:
    """Which columns of a table are read.

    Attributes:
        columns: names of the columns with numbers; without any, all.
        time: name of the column with the times; empty if it is to be found.
    """

    columns: Sequence[str] = ()
    time: str = ""


@dataclass(frozen=True)
class Head:
    """The beginning of a member, by which its format is recognized.

    Attributes:
        member: the member.
        first_line: its first line that is not empty, without a byte order mark.
        keys: keys of its first object, if it is JSON.
    """

    member: Member
    first_line: str
    keys: frozenset[str]


@dataclass
class Readings:
    """The measurements of one member, or of several.

    Attributes:
        points: (n, 4) ``POINTS``; the value of a missing point is null.
        records: rows of the table, or points of the document.
        missing: why a point has no value → how many.
        measures: metric → ``bytes``, ``seconds``, ``ratio`` or empty: the base unit of its values.
        texts: metrics of which no value is a number → their first texts.
        malformed: rows and values that could not be read.
        notes: what else is to be said.
    """

    points: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=POINTS))
    records: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    measures: dict[str, str] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    malformed: list[Malformed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def observations(self) -> pl.DataFrame:
        """The points that have a value."""
        return self.points.filter(pl.col("value").is_not_null())

    @property
    def series(self) -> pl.DataFrame:
        """(series, 3) entity, metric and number of observations of each series, in the order of the file."""
        return self.observations.group_by("entity", "metric", maintain_order=True).len("observations")


@dataclass(frozen=True)
class MetricFormat:
    """One format of metrics.

    Attributes:
        name: the format, for messages.
        recognizes: whether a member is of this format.
        read: reads a member; raises ``InputError`` if it is not of the format after all.
        is_general: whether it is tried only where no other format recognizes the member.
    """

    name: str
    recognizes: Callable[[Head], bool]
    read: Callable[[Member, Choice], Readings]
    is_general: bool = False


def moments(times: pl.Series, readings: Readings, place: str) -> pl.Series:
    """(rows,) the times of a column in UTC; refused and missing ones are null, and malformed in ``readings``."""
    read = read_times(times)
    given = times.cast(pl.String, strict=False).str.strip_chars() if times.dtype != pl.String else times
    for row, reason in read.refused.items():
        readings.malformed.append(Malformed(f"{place} {row + 1}: {given[row][:40]!r} is no time ({reason})", ""))
    refused = set(read.refused)
    for row in read.values.is_null().arg_true():
        if row not in refused:
            readings.malformed.append(Malformed(f"{place} {row + 1}: no time", ""))
    return read.values


def measure(cells: pl.DataFrame, readings: Readings, decimal: str = ".") -> Readings:
    """Reads the values of ``CELLS``, each metric as a whole, into ``readings``; returns them.

    A metric without any number is listed in ``texts``; its points are missing, and not counted.

    Args:
        cells: values as texts; rows without a time are left out.
        readings: what is known so far.
        decimal: the decimal mark of metrics that do not show theirs.
    """
    parts = [readings.points]
    for part in cells.filter(pl.col("time").is_not_null()).partition_by("metric", maintain_order=True):
        metric = str(part["metric"][0])
        texts = part["text"].fill_null("").str.strip_chars()
        is_word = texts.str.contains(f"(?i){_NO_NUMBER.pattern}")
        numbers = read_numbers(texts.set(is_word, None), decimal)
        parts.append(part.select("entity", "metric", "time").with_columns(value=numbers.values))
        readings.measures[metric] = numbers.measure
        wrong = [row for row in numbers.refused if texts[row]]
        if not numbers.values.is_not_null().any():
            if is_word.any() or wrong:
                given = texts.filter(texts != "").unique(maintain_order=True).head(_SHOWN)
                readings.texts[metric] = [storable(text[:40]) for text in given]
            continue
        readings.missing["empty"] += int((texts == "").sum())
        for word, count in texts.filter(is_word).value_counts().iter_rows():
            readings.missing[f"{word} is no observation"] += count
        for row in wrong:
            reason = f"{storable(metric)[:60]} at {part['time'][row]:%Y-%m-%d %H:%M:%S}: {numbers.refused[row]}"
            readings.malformed.append(Malformed(reason, storable(texts[row])))
    readings.points = pl.concat(parts)
    readings.missing = +readings.missing
    return readings
