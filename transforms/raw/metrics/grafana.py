"""Grafana's CSV with series as rows: ``Series``, ``Time``, ``Value``. Series joined by time are a table of columns."""

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.metrics.columns import is_table_of, read_table
from transforms.raw.metrics.format import Choice, MetricFormat, Readings, measure, moments


def _read(member: Member, choice: Choice) -> Readings:
    readings = Readings()
    table, rows = read_table(member, readings)
    series, time, value = table.columns
    cells = rows.select(
        pl.lit(member.stem).alias("entity"),
        pl.col(series).alias("metric"),
        moments(rows[time], readings, "row").alias("time"),
        pl.col(value).alias("text"),
    )
    return measure(cells, readings, table.decimal)


GRAFANA = MetricFormat("Grafana's CSV by series", lambda head: is_table_of(head, "series", "time", "value"), _read)
"""One row per point."""
