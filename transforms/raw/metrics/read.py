"""Reads the measurements of a path, whatever their format."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import polars as pl

from feature_repo.discovery import definitions
from feature_repo.errors import InputError
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.files.records import first_object
from transforms.raw.files.text import recognize, storable
from transforms.raw.metrics.format import POINTS, Choice, Head, MetricFormat, Readings

ALL = Choice()
"""All columns of numbers, by the time that is found."""

NAMES = 12
"""How many series a message names."""


REGULAR = 0.9
"""Least share of equal steps in a series for the others to be gaps."""

_HINT = re.compile(r"sep=.$", re.IGNORECASE)
"""A line by which Excel is told the delimiter."""


@dataclass
class Measurements:
    """What the members of a path hold.

    Attributes:
        points: (n, 4) ``POINTS`` of all members, those without a value too.
        readings: what was read of each member, by its name; its points are in ``points`` only.
        passed_over: members that hold no metrics.
    """

    points: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=POINTS))
    readings: dict[str, Readings] = field(default_factory=dict)
    passed_over: list[PassedOver] = field(default_factory=list)


@cache
def formats() -> list[MetricFormat]:
    """All formats; the general ones last."""
    declared = definitions("transforms.raw.metrics", MetricFormat).values()
    return sorted(declared, key=lambda kind: kind.is_general)


def read_member(member: Member, choice: Choice) -> Readings:
    """Reads one member.

    Raises:
        InputError: it holds no metrics, or there is no number among them; the message says what it holds.
    """
    head = _head(member)
    kind = next(kind for kind in formats() if kind.recognizes(head))
    readings = kind.read(member, choice)
    if readings.points["metric"].is_not_null().any() and not readings.observations.height:
        texts = "; ".join(f"{storable(name)[:40]!r}: {_quoted(given)}" for name, given in [*readings.texts.items()][:4])
        raise InputError(
            expected=f"numbers in {member.place}",
            found=f"{kind.name} of {readings.records:,} rows, of which no number could be read"
            + (f" ({texts})" if texts else " (all values are empty)"),
            next_command="name the columns of the numbers: --column NAME",
        )
    if not readings.points.height and not readings.records:
        raise InputError(
            expected=f"measurements in {member.place}",
            found=f"{kind.name} without any",
            next_command=f"head -c 300 {member.path}",
        )
    return readings


def read(path: Path, choice: Choice = ALL) -> Measurements:
    """Reads a file, or those of a folder or archive.

    Raises:
        InputError: nothing is there, or nothing with measurements; of a folder, the message names what was passed over.
    """
    result, parts = Measurements(), []
    listed = list(members(path))
    for member in listed:
        try:
            readings = read_member(member, choice)
        except InputError as error:
            if len(listed) == 1:
                raise
            result.passed_over.append(PassedOver(member.name, error.found))
            continue
        parts.append(readings.points)
        result.readings[member.name] = readings
    if not parts:
        names = ", ".join(f"{item.name} ({item.why})" for item in result.passed_over[:NAMES])
        raise InputError(
            expected="a file of measurements",
            found=f"none in {path}: {names or 'it is empty'}",
            next_command="refrain anomalies --help",
        )
    result.points = pl.concat(parts)
    return result


def choose(points: pl.DataFrame, wanted: list[str]) -> pl.DataFrame:
    """The points of the series with these names: of a metric, an entity, or ``entity metric``; all without a name.

    Raises:
        InputError: a series has no such name; the message lists those that there are.
    """
    if not wanted:
        return points
    names = (pl.col("entity"), pl.col("metric"), pl.concat_str("entity", "metric", separator=" "))
    for name in wanted:
        if not points.select(pl.any_horizontal(part == name for part in names).any()).item():
            raise InputError(
                expected="the name of a series",
                found=f"{name!r}; the series are {', '.join(map(repr, series_names(points)))}",
                next_command="repeat the command with --series NAME, one of these",
            )
    return points.filter(pl.any_horizontal(part.is_in(wanted) for part in names))


def series_names(points: pl.DataFrame) -> list[str]:
    """``entity metric`` of the first series that have a number; then how many there are besides."""
    series = points.filter(pl.col("value").is_not_null()).select("entity", "metric").unique(maintain_order=True)
    names = [f"{entity} {metric}" for entity, metric in series.head(NAMES).iter_rows()]
    return names if series.height <= NAMES else [*names, f"… and {series.height - NAMES:,} more"]


def summary(measurements: Measurements) -> Iterator[str]:
    """What was read, missing, converted and passed over, in lines for a terminal."""
    for item in measurements.passed_over:
        yield f"passed over, {item.name}: {item.why}"
    for name, readings in measurements.readings.items():
        if readings.missing:
            yield f"{name}: missing points: " + ", ".join(f"{count:,} {why}" for why, count in readings.missing.items())
        yield from (f"{name}: {gap}" for gap in gaps(readings.points))
        for metric, given in readings.texts.items():
            yield f"{name}: no number in {storable(metric)!r} ({_quoted(given)})"
        for metric, unit in readings.measures.items():
            if unit:
                yield f"{name}: {storable(metric)!r} is read in {'parts of one' if unit == 'ratio' else unit}"
        for note in readings.notes:
            yield f"{name}: {note}"


def gaps(points: pl.DataFrame) -> Iterator[str]:
    """How many points are absent from each series of regular steps, in words.

    >>> from datetime import datetime, timedelta
    >>> times = [datetime(2024, 3, 1) + timedelta(minutes=minute) for minute in range(20) if minute not in (7, 8)]
    >>> list(gaps(pl.DataFrame({"entity": "web1", "metric": "load", "time": times})))
    ['2 points absent from web1 load, in steps of 60 s']
    """
    series, between = ("entity", "metric"), pl.col("time").diff().dt.total_microseconds()
    steps = (
        points.filter(pl.col("metric").is_not_null())
        .sort("time", maintain_order=True)
        .select(*series, between=between.over(series))
        .filter(pl.col("between") > 0)
        .with_columns(steps=(pl.col("between") / pl.col("between").median()).over(series))
        .group_by(series, maintain_order=True)
        .agg(
            seconds=pl.col("between").median() / 1e6,
            regular=(pl.col("steps").round(6) == 1).mean(),
            absent=(pl.col("steps").round() - 1).clip(0).sum(),
        )
        .filter(pl.col("regular") >= REGULAR, pl.col("absent") > 0)
    )
    for entity, metric, seconds, _, absent in steps.iter_rows():
        yield f"{absent:,.0f} points absent from {storable(f'{entity} {metric}')}, in steps of {seconds:g} s"


def _head(member: Member) -> Head:
    text = recognize(member)
    lines = (line.strip("\ufeff \t") for line in text.lines())
    first_line = next((line for line in lines if line and not _HINT.match(line)), "")
    if not first_line:
        raise InputError(
            expected="a file of measurements",
            found=f"{member.place}: {describe(member)}",
            next_command="refrain anomalies --help",
        )
    keys = frozenset(first_object(member)) if first_line[:1] in "[{" else frozenset()
    return Head(member, first_line, keys)


def _quoted(texts: list[str]) -> str:
    return ", ".join(map(repr, texts))
