"""Numbers of a file over time, for detectors of anomalies: tables of all kinds, and exports of monitoring systems."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from refrain.own_file import columns
from refrain.own_file.columns import listed
from refrain.own_file.table import OwnFile
from transforms.raw.metrics import read as metrics
from transforms.raw.metrics.format import Choice
from transforms.raw.own_tables import booleans

_TABLES = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"PK\x03\x04")
"""First bytes of tables that are no texts."""


@dataclass(frozen=True)
class Request:
    """What a person wants read.

    Attributes:
        time: column of times; empty to search.
        time_format: unit or format of the times.
        columns: columns with numbers; all if empty.
        series: names of series that are wanted; all if empty.
        label: column that says which rows are anomalies; empty for none.
    """

    time: str = ""
    time_format: str = ""
    columns: Sequence[str] = ()
    series: Sequence[str] = ()
    label: str = ""


@dataclass(frozen=True)
class Observations:
    """m values of several series, in the order of each series' times.

    Attributes:
        names: (m,) series of each value.
        times: (m,) microseconds since 1970, UTC.
        values: (m,) float64; NaN where one is missing.
        labels: (m,) whether each is a known anomaly; None if nobody said.
        lines: what was read, in words.
    """

    names: np.ndarray
    times: np.ndarray
    values: np.ndarray
    labels: np.ndarray | None = None
    lines: list[str] = field(default_factory=list)


def read_observations(path: Path, request: Request, *, progress: Progress = silent) -> Observations:
    """Reads the observations of a file.

    Raises:
        InputError: nothing is there, no times or no numbers, or a named column or series is absent.
    """
    check_is_file(path)
    with path.open("rb") as handle:
        is_table = handle.read(8).startswith(_TABLES)
    if is_table or request.label or request.time_format:
        points, lines = _of_table(OwnFile.read(path, progress=progress), request)
    else:
        points, lines = _of_metrics(path, request)
    points = metrics.choose(points, list(request.series))
    points = points.filter(pl.col("metric").is_not_null() & pl.col("time").is_not_null())
    points = points.sort("entity", "metric", "time", maintain_order=True)
    values = points["value"].fill_null(np.nan).to_numpy()
    finite = np.isfinite(values)
    if not finite.any():
        raise InputError(
            expected=f"numbers in {path}",
            found=f"{points.height:,} values, none of them a finite number",
            next_command="repeat the command with --column COLUMN",
        )
    infinite = int(np.isinf(values).sum())
    if infinite:
        lines.append(f"missing: {infinite:,} values that are no finite numbers")
    names = (points["entity"] + "/" + points["metric"]).to_numpy()
    labels = points["label"].to_numpy() if "label" in points.columns else None
    series = list(dict.fromkeys(names.tolist()))
    lines.append(f"{len(series):,} series: {listed(series)}; {len(values):,} values")
    return Observations(names, points["time"].dt.timestamp("us").to_numpy(), values, labels, lines)


def check_is_file(path: Path) -> None:
    """Refuses what is not there, before it is opened.

    Raises:
        InputError: there is nothing at the path, or an empty file.
    """
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        raise InputError(
            expected="a file of observations",
            found=f"an empty file {path}" if path.exists() else f"nothing at {path}",
            next_command="ls, then repeat the command with the path of a file",
        )


def _of_metrics(path: Path, request: Request) -> tuple[pl.DataFrame, list[str]]:
    measurements = metrics.read(path, Choice(tuple(request.columns), request.time))
    errors = [row.reason for readings in measurements.readings.values() for row in readings.malformed]
    lines = [f"not read: {len(errors):,} rows or values, such as {errors[0]}"] if errors else []
    return measurements.points, [*lines, *metrics.summary(measurements)]


def _of_table(file: OwnFile, request: Request) -> tuple[pl.DataFrame, list[str]]:
    label = columns.named(file, request.label, "label") if request.label else ""
    times = columns.require_times(file, given=request.time, form=request.time_format, without=[label])
    taken = [times.column, *([label] if label else [])]
    series = columns.find(file, "series", without=taken)
    numeric = [columns.named(file, name, "column") for name in request.columns] or [
        name for name in file.columns if name not in (*taken, series) and file.is_numeric(name)
    ]
    if not numeric:
        raise InputError(
            expected=f"a column of numbers in {file.path}",
            found=f"the columns {listed(file.columns)}",
            next_command="repeat the command with --column COLUMN",
        )
    entity = file.texts(series).fill_null("") if series else pl.repeat(file.path.stem, file.rows, eager=True)
    marks = {"label": _marks(file, label)} if label else {}
    parts = [
        pl.DataFrame(
            {
                "entity": entity,
                "metric": pl.repeat(name, file.rows, eager=True),
                "time": times.values,
                "value": file.numbers(name).values,
                **marks,
            }
        )
        for name in numeric
    ]
    lines = [*file.lines, f"times: {times.column!r}, {times.words}; {columns.span(times.values)}"]
    return pl.concat(parts), lines


def _marks(file: OwnFile, label: str) -> pl.Series:
    """(rows,) whether a row is labelled an anomaly.

    Raises:
        InputError: the labels are no booleans, or all alike.
    """
    texts = file.texts(label)
    is_true = texts.str.to_lowercase().is_in([*booleans.TRUE, "anomaly", "anomalous", "-1"]).fill_null(False)
    known = texts.drop_nulls().str.to_lowercase().unique().to_list()
    if len(known) > 2 or is_true.all() or not is_true.any():
        raise InputError(
            expected=f"two kinds of labels in {label!r}, such as 0 and 1 or no and yes",
            found=f"{listed(sorted(known), 5)}" if known else "no label in any row",
            next_command="repeat the command with --label COLUMN, or without",
        )
    return is_true
