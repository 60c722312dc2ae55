"""Answers of CloudWatch: ``aws cloudwatch get-metric-data`` and ``get-metric-statistics``.

A label of two words, such as ``i-0abc CPUUtilization``, is an entity and a metric. Of statistics, each is a metric:
``CPUUtilization Average``.
"""

import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.records import records
from transforms.raw.files.rows import Malformed
from transforms.raw.files.text import storable
from transforms.raw.metrics.format import Choice, MetricFormat, Readings, measure, moments

_STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
_ENTITY_AND_METRIC = re.compile(r"^(\S+) ([A-Z][A-Za-z]+|[a-z]+(?:_[a-z]+)+)$")


def _read(member: Member, choice: Choice) -> Readings:
    readings = Readings()
    flat: list[tuple[str, str, str, str]] = []
    names: dict[str, str] = {}
    for batch in records(member):
        readings.malformed += batch.malformed
        for answer in batch.rows:
            for label, suffix, time, value in _points(answer, names, readings):
                words = _ENTITY_AND_METRIC.match(label)
                entity, metric = words.groups() if words else (member.stem, label)
                flat.append((entity, metric + suffix, str(time), "" if value is None else str(value)))
    readings.records += len(flat)
    cells = pl.DataFrame(
        [tuple(storable(text) for text in row) for row in flat],
        schema=dict.fromkeys(("entity", "metric", "time", "text"), pl.String),
        orient="row",
    )
    return measure(cells.with_columns(moments(cells["time"], readings, "point").alias("time")), readings)


def _points(answer: dict[str, Any], names: dict[str, str], readings: Readings) -> Iterator[tuple[str, str, Any, Any]]:
    """Label, what is added to it, time and value of each point; of queries with the same label, the id is added."""
    results = answer.get("MetricDataResults")
    for result in results if isinstance(results, list) else []:
        times, values = (result.get(key) if isinstance(result, dict) else None for key in ("Timestamps", "Values"))
        if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
            readings.malformed.append(Malformed("no result with as many times as values", storable(str(result))))
            continue
        key = str(result.get("Id"))
        label = str(result.get("Label") or key)
        suffix = "" if names.setdefault(label, key) == key else f" {key}"
        if result.get("StatusCode") not in (None, "Complete"):
            readings.notes.append(
                f"{storable(label + suffix)}: {storable(str(result['StatusCode']))}, CloudWatch has more"
            )
        yield from ((label, suffix, time, value) for time, value in zip(times, values, strict=True))
    points = answer.get("Datapoints")
    for point in points if isinstance(points, list) else []:
        if not isinstance(point, dict):
            readings.malformed.append(Malformed("no data point", storable(str(point))))
            continue
        extended = point.get("ExtendedStatistics")
        values = point | (extended if isinstance(extended, dict) else {})
        for name in values:
            if name in _STATISTICS or re.match(r"^p\d", name):
                yield str(answer.get("Label") or "value"), f" {name}", point.get("Timestamp"), values[name]


CLOUDWATCH = MetricFormat(
    "CloudWatch's JSON",
    lambda head: "MetricDataResults" in head.keys or {"Label", "Datapoints"} <= head.keys,
    _read,
)
"""One answer, or several as an array or lines."""
