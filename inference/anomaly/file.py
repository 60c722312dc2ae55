"""Reads observations from files of metrics: tables, JSON, and the exports of monitoring systems."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo.errors import InputError
from inference.anomaly.observation import Observation

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class ObservationFile:
    """What a file holds.

    Attributes:
        observations: oldest first.
        series: ``entity metric`` of the series with numbers; of many, the first and how many there are.
        errors: rows and values that could not be read, with the reason.
        notes: what is missing, converted or passed over.
    """

    observations: list[Observation]
    series: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(path: Path, *, columns: Sequence[str] = (), time: str = "", series: Sequence[str] = ()) -> ObservationFile:
    """Read observations: rows of a table, or the points of several series at one time of one entity.

    Formats: see ``transforms.raw.metrics``. Without a column that names the entity, all rows belong to one, named like
    the file. A value that is empty or not a number is missing.

    Args:
        path: a file, or a folder or archive of files.
        columns: columns of a table with numbers; without any, all of them.
        time: column of a table with times; found by its name or content if left out.
        series: names of the series that are wanted: metric, entity or ``entity metric``; without any, all of them.

    Raises:
        InputError: there is nothing at the path; or no time or number could be read, with what was found instead; or it
            has no such column or series.
    """
    from transforms.raw.metrics import read as metrics  # brings data frames, which serving does without
    from transforms.raw.metrics.format import Choice

    measurements = metrics.read(path, Choice(tuple(columns), time))
    points = metrics.choose(measurements.points, list(series))
    rows = ObservationFile(
        _observations(points),
        metrics.series_names(points),
        [f"{row.reason} {row.row}".rstrip() for read in measurements.readings.values() for row in read.malformed],
        list(metrics.summary(measurements)),
    )
    if not rows.observations:
        raise InputError(
            expected="rows with a time",
            found=rows.errors[0] if rows.errors else "no row",
            next_command=f"head -2 {path}  (the first line of a CSV names its columns)",
        )
    return rows


def _observations(points: "pl.DataFrame") -> list[Observation]:
    """Puts the points of one entity and time together; where a metric has several there, there are as many."""
    import polars as pl

    rows = (
        points.with_columns(number=pl.int_range(pl.len()).over("entity", "metric", "time"))
        .sort("time", maintain_order=True)
        .group_by("entity", "time", "number", maintain_order=True)
        .agg("metric", "value")
    )
    return [
        Observation(entity, at, {name: value for name, value in zip(metrics, values, strict=True) if name is not None})
        for entity, at, _, metrics, values in rows.iter_rows()
    ]
