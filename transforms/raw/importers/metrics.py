"""Metrics of hosts: exports of Prometheus, CloudWatch, Grafana, collectd and sysstat, and tables of numbers.

Series whose name says that they are a column of ``host_metrics`` are stored, in its unit; the others are named and
passed over (``transforms.raw.metrics.host_columns``). What a folder or archive holds of one host at one time becomes
one row; metrics of one host that are in several files are to be imported together.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from transforms.raw.files.members import Member, PassedOver
from transforms.raw.importers.format import Format
from transforms.raw.ingest import Batch
from transforms.raw.metrics.format import POINTS, Choice
from transforms.raw.metrics.host_columns import host_columns, of_hosts
from transforms.raw.metrics.read import choose, read_member
from transforms.raw.tables.host_metrics import HOST_METRICS
from transforms.raw.validate import QUARANTINE

_NAMES = 8


def read(
    path: Path, *, host: str | None = None, column: str | None = None, series: str | None = None
) -> Iterator[Batch | PassedOver]:
    """Yield the rows of ``host_metrics`` after the last member, and malformed rows and values of each before.

    Args:
        path: file, folder or archive.
        host: id of the host, in the place of the entity that the file names.
        column: the one column of a table that is read.
        series: the one series that is read.

    Raises:
        InputError: there is nothing at the path, or its only file has no metrics.
    """
    parts = [pl.DataFrame(schema=POINTS)]
    passed_over: list[PassedOver] = []

    def read_points(member: Member) -> Iterator[Batch]:
        readings = read_member(member, Choice((column,) if column else ()))
        points = choose(readings.points, [series] if series else [])
        known, others = of_hosts(points, readings.measures)
        parts.append(known)
        if others:
            passed_over.append(PassedOver(f"{member.name}: {_listed(others)}", "no exact column of host_metrics"))
        malformed = pl.DataFrame([tuple(row) for row in readings.malformed], schema=QUARANTINE, orient="row")
        yield Batch(HOST_METRICS.name, _rows(known.clear()), malformed, done=member.size)

    done = 0.0
    for item in METRICS.each_member(path, read_points):
        done = item.done if isinstance(item, Batch) else done
        yield item
    yield from passed_over
    points = pl.concat(parts)
    if host is not None:
        points = points.with_columns(entity=pl.lit(host))
    yield Batch(HOST_METRICS.name, _rows(host_columns(points)), done=done, total=done)


def _rows(points: pl.DataFrame) -> pl.DataFrame:
    """(rows,) one row per host and time, a column for each metric of the points."""
    columns = sorted(points["metric"].unique())
    whole = points.with_columns(pl.col("value").round().cast(pl.Int64, strict=False)).pivot(
        "metric", index=["entity", "time"], values="value", aggregate_function="last", on_columns=columns
    )
    return whole.rename({"entity": "host_id", "time": "event_timestamp"}).sort("event_timestamp", "host_id")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


METRICS = Format(
    "metrics",
    "metrics of hosts: JSON of Prometheus or CloudWatch, CSV of collectd, sadf -d, or columns of host_metrics",
    read,
    repeats=False,  # which rows there are also depends on the rules of ``host_columns``
    options={
        "host": "id of the host, in the place of what the file names",
        "column": "the one column of a table that is read",
        "series": "the one series that is read",
    },
)
"""Reader of metrics."""
