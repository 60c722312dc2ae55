"""Tables with a column of times and columns of numbers: of spreadsheets, scripts, and Grafana (joined by time).

Columns are found by their names, whatever the case; a column of times also by its content, if it is the only one. Each
column of numbers is a series of the entity that a column names, or of one named after the file. Two columns ``date``
and ``time`` are one time.
"""

from collections.abc import Sequence

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.members import Member
from transforms.raw.files.numbers import read_numbers
from transforms.raw.files.rows import frame
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize, storable
from transforms.raw.files.times import read_times
from transforms.raw.metrics.format import POINTS, Choice, Head, MetricFormat, Readings, measure, moments

TIMES = ("event_timestamp", "timestamp", "time", "at", "ts", "datetime", "date_time", "epoch", "date", "datum", "zeit")
ENTITIES = ("host_id", "endpoint", "user_id", "client_ip", "track_id", "entity", "host", "hostname", "instance", "id")
"""Names of columns that are tried, in this order."""

_SAMPLE = 200


def read_table(member: Member, readings: Readings) -> tuple[Table, pl.DataFrame]:
    """All rows of a table as texts; counts them, and the malformed ones, in ``readings``."""
    table = Table(recognize(member))
    batches = list(table.batches())
    cells = pl.concat([frame(table.columns, batch.rows) for batch in batches])
    readings.malformed += [row for batch in batches for row in batch.malformed]
    readings.records += cells.height + len(readings.malformed)
    return table, cells


def series_of(
    rows: pl.DataFrame, member: Member, choice: Choice, readings: Readings, decimal: str, place: str = "row"
) -> Readings:
    """The series of a table of texts; the columns are found by name.

    Raises:
        InputError: there is no column of times, or not one that ``choice`` names.
    """
    times = _time_column(rows, choice, member)
    entity = _named(ENTITIES, [name for name in rows.columns if name not in (times.name, choice.time, *choice.columns)])
    clock = {name for name in rows.columns if name.lower() in ("date", "time")} if times.name == "" else set()
    others = [name for name in rows.columns if name not in ({times.name, entity} | clock)]
    for name in choice.columns:
        if name not in others:
            raise _no_column(name, rows.columns, "column", member)
    metrics = list(choice.columns) or others
    moment = moments(times, readings, place)
    if len(moment) and not moment.is_not_null().any():
        raise InputError(
            expected=f"times in the column {times.name or 'date and time'!r} of {member.place}",
            found=f"{storable(readings.malformed[-1].reason)}; {len(moment):,} rows",
            next_command=f"name the column: --time NAME, one of {_listed(rows.columns)}",
        )
    stem = pl.lit(member.stem)
    who = stem if not entity else pl.when(pl.col(entity).fill_null("") == "").then(stem).otherwise(pl.col(entity))
    wide = rows.select(who.alias("entity"), moment.alias("time"), *(pl.col(name).alias(f"={name}") for name in metrics))
    if not metrics:  # who was seen when: features of these entities can be looked up
        seen = wide.filter(pl.col("time").is_not_null()).select("entity", metric=None, time="time", value=None)
        readings.points = seen.cast(pl.Schema(POINTS))
        return readings
    long = wide.unpivot(index=["entity", "time"], variable_name="metric", value_name="text")
    long = long.with_columns(pl.col("metric").str.slice(1), pl.col("text").cast(pl.String))
    decimal = read_numbers(pl.concat([rows[name].rename("") for name in metrics]), decimal).decimal
    return measure(long, readings, decimal)


def _read(member: Member, choice: Choice) -> Readings:
    readings = Readings()
    table, cells = read_table(member, readings)
    return series_of(cells, member, choice, readings, table.decimal)


def _time_column(rows: pl.DataFrame, choice: Choice, member: Member) -> pl.Series:
    """The column of times; without a name where it is put together of a date and a time of the day."""
    names = rows.columns
    if choice.time:
        if choice.time not in names:
            raise _no_column(choice.time, names, "time", member)
        return rows[choice.time]
    name = _named(TIMES, [name for name in names if name not in choice.columns])
    date, time = _named(("date", "datum"), names), _named(("time", "zeit"), names)
    if date and time and name in (date, time) and not _are_times(rows[time]):
        return (rows[date] + " " + rows[time]).alias("")
    if name:
        return rows[name]
    candidates = [name for name in names if name not in choice.columns and _are_times(rows[name])]
    if len(candidates) == 1:
        return rows[candidates[0]]
    raise InputError(
        expected=f"rows with a time in one of the columns {', '.join(TIMES)} of {member.place}",
        found=f"no time among {_listed(names)}, {rows.height:,} rows",
        next_command="name the column of the times: --time NAME",
    )


def _are_times(values: pl.Series) -> bool:
    """Whether the first texts of a column are times; numbers alone are none, as they may be measurements."""
    first = values.head(_SAMPLE).drop_nulls()
    first = first.filter(first.str.strip_chars() != "")
    return bool(len(first)) and not first.str.contains(r"^[\d.,]*$").any() and not read_times(first).refused


def _named(candidates: Sequence[str], names: Sequence[str]) -> str:
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in candidates if name in by_lower), "")


def _no_column(name: str, names: Sequence[str], option: str, member: Member) -> InputError:
    return InputError(
        expected=f"the column {name!r} in {member.place}",
        found=f"the columns {_listed(names)}",
        next_command=f"name one of them: --{option} NAME",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(storable(repr(name[:40])) for name in names[:12])
    return f"{shown}, …" if len(names) > 12 else shown


COLUMNS = MetricFormat("a table", lambda head: not head.keys, _read, is_general=True)
"""Any delimited table."""


def is_table_of(head: Head, *names: str) -> bool:
    """Whether the first line has exactly these cells, in any case and with any delimiter."""
    line = head.first_line.lower().replace('"', "")
    return any(line.split(mark) == list(names) for mark in ",;\t")
