"""Answers of Prometheus' query API and ``promtool query … -o json``, and the export of VictoriaMetrics.

The entity is the label ``instance``; the metric is the name with the other labels, as PromQL writes it. The label
``job`` is part of it where there is more than one job.
"""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.members import Member
from transforms.raw.files.records import first_object, records
from transforms.raw.files.rows import Malformed
from transforms.raw.files.text import storable
from transforms.raw.metrics.format import Choice, Head, MetricFormat, Readings, measure, moments

_PLACES = ("data.result", "result")


def _recognizes(head: Head) -> bool:
    is_answer = {"status", "data"} <= head.keys or {"status", "errorType"} <= head.keys or {"resultType"} <= head.keys
    return is_answer or ("metric" in head.keys and not {"values", "value"}.isdisjoint(head.keys))


def _read(member: Member, choice: Choice) -> Readings:
    first = first_object(member)
    if first.get("status") == "error":
        raise InputError(
            expected=f"an answer with data in {member.place}",
            found=f"an error of Prometheus: {storable(str(first.get('error')))[:200]}",
            next_command="repeat the query, then this command with its answer",
        )
    readings = Readings()
    series: list[tuple[dict[str, str], list[tuple[Any, Any]]]] = []
    for batch in records(member, *(() if "metric" in first else _PLACES)):
        readings.malformed += batch.malformed
        for row in batch.rows:
            labels = row.get("metric")
            names = {str(name): str(value) for name, value in labels.items()} if isinstance(labels, dict) else {}
            series.append((names, list(_points(row, readings))))
    has_jobs = len({labels.get("job") for labels, _ in series}) > 1
    owners = [(labels.get("instance") or member.stem, _name(labels, has_jobs, member)) for labels, _ in series]
    flat = [(*owner, time, text) for owner, (_, points) in zip(owners, series, strict=True) for time, text in points]
    readings.records += len(flat)
    entities, metrics, times, texts = zip(*flat, strict=True) if flat else ((), (), (), ())
    cells = pl.DataFrame(
        {
            "entity": pl.Series(entities, dtype=pl.String),
            "metric": pl.Series(metrics, dtype=pl.String),
            "time": moments(pl.Series(times, dtype=pl.Float64), readings, "point"),
            "text": pl.Series(texts, dtype=pl.String),
        }
    )
    return measure(cells, readings)


def _points(row: dict[str, Any], readings: Readings) -> Iterator[tuple[float, str]]:
    """The points of a series: pairs of ``values``, one pair ``value``, or values beside ``timestamps``."""
    values, times = row.get("values"), row.get("timestamps")
    if isinstance(values, list) and isinstance(times, list):
        pairs: list[Any] = [list(pair) for pair in zip(times, values, strict=False)]
    elif isinstance(values, list):
        pairs = values
    else:
        pairs = [row["value"]] if "value" in row else []
    for pair in pairs:
        match pair:
            case [int() | float() as time, str() | int() | float() | None as value] if abs(time) < 1e20:
                yield float(time), "" if value is None else storable(str(value))
            case _:
                readings.malformed.append(Malformed("no pair of a time and a value", storable(json.dumps(pair))))


def _name(labels: dict[str, str], has_jobs: bool, member: Member) -> str:
    left_out = {"__name__", "instance"} | (set() if has_jobs else {"job"})
    shown = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name not in left_out)
    name = labels.get("__name__", "")
    return storable(f"{name}{{{shown}}}" if shown else name or member.stem)


PROMETHEUS = MetricFormat("Prometheus' JSON", _recognizes, _read)
"""A matrix, or a vector."""
