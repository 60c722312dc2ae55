"""Series of a person's own file on one grid of steps, as a panel of ``training.models.forecasting``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from refrain.own_file import columns
from refrain.own_file.columns import Times, listed, span
from refrain.own_file.steps import Step, likely_step, parse_step
from refrain.own_file.table import OwnFile
from training.models.forecasting.panel import Panel

Combination = Literal["", "sum", "mean", "last"]
MOST_STEPS, MOST_CELLS, MOST_SERIES = 200_000, 50_000_000, 20_000
LARGEST, SMALLEST = 1e9, 1e-6
"""Magnitudes beyond which a series is scaled, as squares of its values would lose digits or overflow."""
SEPARATOR = " / "


@dataclass(frozen=True)
class Request:
    """What a person wants read.

    Attributes:
        time: column of times; empty to search.
        time_format: unit or format of the times.
        value: column of values.
        series: columns that name the series together.
        groups: columns that name the groups of a series, from the finest to the coarsest.
        step: length of a step, such as ``1d``; empty to find it.
        combine: what several values of one series and step become; empty to refuse them.
        gaps: meaning of a step without a row.
    """

    time: str = ""
    time_format: str = ""
    value: str = ""
    series: Sequence[str] = ()
    groups: Sequence[str] = ()
    step: str = ""
    combine: Combination = ""
    gaps: Literal["repeat", "zero"] = "repeat"


@dataclass(frozen=True)
class OwnSeries:
    """Series of a file.

    Attributes:
        panel: the series, scaled, on steps that are numbered as days of an artificial calendar.
        missing: (n, t) whether a value was missing and is filled, so that no error can be measured there.
        scale: (n,) factor by which the values of each series were divided.
        step: the real step.
        last: number of the last step.
        groups: column → (n,) group of each series; None where it is missing.
        lines: what was read, in words.
    """

    panel: Panel
    missing: np.ndarray
    scale: np.ndarray
    step: Step
    last: int
    groups: dict[str, list[str | None]]
    lines: list[str]


def read_series(file: OwnFile, request: Request) -> OwnSeries:
    """Reads the series of a file.

    Raises:
        InputError: a column is absent or ambiguous, there are no numbers, or steps have several values.
    """
    names = [columns.named(file, name, "series") for name in request.series]
    groups = [columns.named(file, name, "hierarchy") for name in request.groups]
    chosen = [*names, *groups, *([request.value] if request.value else [])]
    times = columns.require_times(file, given=request.time, form=request.time_format, without=chosen)
    value = _value_column(file, request.value, [times.column, *names, *groups])
    names = names or _series_columns(file, times, [times.column, value, *groups])
    names = list(dict.fromkeys([*groups[::-1], *names]))
    numbers = file.numbers(value)
    if numbers.values.null_count() == file.rows:
        raise InputError(
            expected=f"numbers in the column {value!r} of {file.path}",
            found=numbers.example or "no value in any row",
            next_command="repeat the command with --value COLUMN",
        )
    key = pl.concat_str([file.texts(name).fill_null("") for name in names], separator=SEPARATOR) if names else None
    rows = pl.DataFrame({"time": times.values, "value": numbers.values.alias("value")}).with_columns(
        id=pl.lit(value) if key is None else pl.select(key).to_series()
    )
    lines = [
        f"times: {times.column!r}, {times.words}; {span(times.values)}",
        f"values: {value!r}" + (f"; series: {listed(names)}" if names else ""),
    ]
    all_missing = rows["id"].n_unique() - rows.drop_nulls("value")["id"].n_unique()
    if all_missing:
        lines.append(f"left out: {all_missing:,} series without any value")
    unread = rows.filter(pl.col("time").is_null()).height
    if unread:
        lines.append(f"left out: {unread:,} rows without a time that can be read")
    if numbers.refused:
        lines.append(f"missing: {numbers.refused:,} values that are no finite numbers, such as {numbers.example}")
    group_rows = pl.DataFrame({"id": rows["id"], **{name: file.texts(name) for name in groups}})
    return _on_grid(rows.drop_nulls("time"), group_rows, request, lines)


def _value_column(file: OwnFile, given: str, taken: list[str]) -> str:
    column = columns.find(file, "value", given=given, without=taken)
    if column is not None and (given or file.numbers(column).values.null_count() < file.rows):
        return column
    numeric = [name for name in file.columns if name not in taken and file.is_numeric(name)]
    if len(numeric) == 1:
        return numeric[0]
    if not numeric:
        raise columns.missing(file, "value", "numbers")
    raise InputError(
        expected="one column with numbers, or --value",
        found=f"{len(numeric)} columns of numbers: {listed(numeric)}",
        next_command=f"repeat the command with --value {numeric[0]}",
    )


def _series_columns(file: OwnFile, times: Times, taken: list[str]) -> list[str]:
    """The columns that name the series: a usual one, else all texts, if times occur several times."""
    if times.values.n_unique() == len(times.values):
        return []
    usual = columns.find(file, "series", without=taken)
    if usual is not None:
        return [usual]
    return [name for name in file.columns if name not in taken and not file.is_numeric(name)]


def _on_grid(rows: pl.DataFrame, group_rows: pl.DataFrame, request: Request, lines: list[str]) -> OwnSeries:
    count = rows["id"].n_unique()
    if count > MOST_SERIES:
        raise InputError(
            expected=f"at most {MOST_SERIES:,} series",
            found=f"{count:,}",
            next_command="repeat the command with --series COLUMN, or with a part of the rows",
        )
    step = parse_step(request.step) if request.step else _step_of(rows)
    rows = rows.with_columns(number=pl.Series(step.numbers(rows["time"]), dtype=pl.Int64)).drop_nulls("value")
    rows = _combined(rows, request.combine, step)
    first, last = int(rows["number"].min()), int(rows["number"].max())  # type: ignore[arg-type]
    if last - first >= MOST_STEPS or (last - first) * count > MOST_CELLS:
        raise InputError(
            expected=f"at most {MOST_STEPS:,} steps, and {MOST_CELLS:,} of all series together",
            found=f"{last - first + 1:,} steps of {step.words} in {count:,} series",
            next_command="repeat the command with --step 1h --combine mean  (or another longer step)",
        )
    scales = rows.group_by("id").agg(scale=pl.col("value").abs().max())
    scale_or_1 = pl.when(pl.col("scale").is_between(SMALLEST, LARGEST)).then(1.0).otherwise("scale").replace(0.0, 1.0)
    scales = scales.select("id", scale=scale_or_1)
    if request.groups:
        scales = scales.with_columns(scale=pl.col("scale").max())
    rows = rows.join(scales, on="id")
    table = rows.select(
        "id",
        time=pl.from_epoch((pl.col("number") - last) * 86_400 - 86_400, time_unit="s").dt.replace_time_zone("UTC"),
        value=pl.col("value") / pl.col("scale"),
    )
    nonnegative = bool((rows["value"] >= 0).all())
    panel = Panel.of(table, step=timedelta(days=1), nonnegative=nonnegative)
    seasons = tuple(season for season in step.seasons if panel.steps >= 2 * season + 2)
    known = Panel.of(table.with_columns(value=pl.lit(1.0)), step=timedelta(days=1))
    missing = (known.values == 0) & (request.gaps == "repeat")
    panel = replace(panel, values=filled(panel.values, missing, max(seasons, default=1)), seasons=seasons)
    gaps = int(panel.lengths.sum()) - rows.height
    lines.append(f"{len(panel):,} series of up to {panel.steps:,} steps of {step.words}")
    if gaps:
        lines.append(f"gaps: {gaps:,} steps without a value, {_FILLED[request.gaps]}")
    whole = (rows["value"] == rows["value"].round()).all()
    negative = int((rows["value"] < 0).sum())
    if negative and whole and negative < 0.05 * rows.height:
        lines.append(f"negative: {negative:,} of the otherwise whole, positive numbers are below 0, taken as they are")
    constant = int(np.sum(np.nanmax(panel.values, axis=1) == np.nanmin(panel.values, axis=1)))
    if constant:
        lines.append(f"constant: {constant:,} series never change; no error can be measured in them")
    scale = dict(scales.iter_rows())
    groups = {name: _group_of(group_rows, panel.ids, name) for name in request.groups}
    factors = np.array([scale[name] for name in panel.ids])
    return OwnSeries(panel, missing, factors, step, last, groups, lines)


def filled(values: np.ndarray, missing: np.ndarray, season: int) -> np.ndarray:
    """Fills missing values with those of a season before, or with the last: never with what came later.

    Args:
        values: (n, t) values.
        missing: (n, t) which of them are missing.
        season: length of a season in steps.

    >>> filled(np.array([[1.0, 2.0, 3.0, 0.0, 0.0]]), np.array([[False] * 3 + [True] * 2]), 2).tolist()
    [[1.0, 2.0, 3.0, 2.0, 3.0]]
    """
    result = values.copy()
    for step in np.flatnonzero(missing.any(axis=0)).tolist():
        earlier = result[:, step - season] if step >= season else result[:, step - 1]
        earlier = np.where(np.isfinite(earlier), earlier, result[:, step - 1])
        result[:, step] = np.where(missing[:, step], earlier, result[:, step])
    return result


_FILLED = {"repeat": "filled with the value of a season before and not measured", "zero": "taken as 0"}


def _step_of(rows: pl.DataFrame) -> Step:
    step = likely_step([part["time"] for part in rows.partition_by("id")])
    if step is None:
        raise InputError(
            expected="series of at least two different times",
            found=f"{rows.height:,} rows in {rows['id'].n_unique():,} series, each at one time",
            next_command="repeat the command with --series COLUMN  (the columns that name a series)",
        )
    return step


def _combined(rows: pl.DataFrame, combine: Combination, step: Step) -> pl.DataFrame:
    repeated = rows.height - rows.select("id", "number").n_unique()
    if not repeated:
        return rows.select("id", "number", "value")
    if not combine:
        first = rows.filter(pl.struct("id", "number").is_duplicated()).sort("id", "time").row(0, named=True)
        raise InputError(
            expected=f"one value for each series and step of {step.words}",
            found=f"{repeated:,} more rows, such as several of {first['id']!r} at {first['time']:%Y-%m-%d %H:%M}",
            next_command="repeat the command with --combine sum (or mean, last), or with --series COLUMN",
        )
    value = pl.col("value")
    total = {"sum": value.sum(), "mean": value.mean(), "last": value.last()}[combine]
    return rows.sort("time", maintain_order=True).group_by("id", "number", maintain_order=True).agg(total)


def _group_of(rows: pl.DataFrame, ids: list[str], name: str) -> list[str | None]:
    """The group of each series.

    Raises:
        InputError: a series is in several.
    """
    pairs = rows.select("id", name).unique()
    several = pairs.filter(pl.col("id").is_duplicated())
    if several.height:
        raise InputError(
            expected=f"one {name} for each series",
            found=f"{several['id'][0]!r} in several",
            next_command=f"repeat the command with --series {name} --series COLUMN",
        )
    group = dict(pairs.iter_rows())
    return [group[key] for key in ids]
