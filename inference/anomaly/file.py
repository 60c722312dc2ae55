"""Reads observations from a file: CSV with a header, or one JSON object per line."""

import csv
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.errors import InputError
from inference.anomaly.observation import Observation

TIMES = ("event_timestamp", "timestamp", "time", "at", "ts")
ENTITIES = ("host_id", "endpoint", "user_id", "client_ip", "track_id", "entity", "host", "id")
"""Names of columns that are tried, in this order."""


def read(path: Path) -> tuple[list[Observation], list[str]]:
    """Read observations, oldest first, and the errors of lines that could not be read, with line numbers.

    Without a column of ``ENTITIES`` all rows belong to one entity, named like the file. Numbers are metrics; values
    that are empty or not numbers are missing.

    Raises:
        InputError: there is no such file, it has no column of ``TIMES``, or no row could be read.
    """
    if not path.is_file():
        raise InputError(
            expected="a file of observations",
            found=f"nothing at {path}",
            next_command="refrain anomalies --help",
        )
    observations: list[Observation] = []
    errors: list[str] = []
    for number, row in _rows(path):
        if isinstance(row, str):
            errors.append(f"line {number}: {row}")
            continue
        observation = _observation(row, path)
        if isinstance(observation, str):
            errors.append(f"line {number}: {observation}")
        else:
            observations.append(observation)
    if not observations:
        raise InputError(
            expected=f"rows with a time in one of the columns {', '.join(TIMES)}",
            found=errors[0] if errors else "no row",
            next_command="head -2 FILE  (the first line of a CSV names its columns)",
        )
    observations.sort(key=lambda one: one.at)
    return observations, errors


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    with path.open(encoding="utf-8", errors="replace", newline="") as handle:
        first = handle.read(1)
        handle.seek(0)
        if first in ("{", "["):
            for number, line in enumerate(handle, start=1):
                if line.strip():
                    try:
                        row = json.loads(line)
                    except (ValueError, RecursionError):
                        row = None
                    yield number, row if isinstance(row, dict) else "not a JSON object"
            return
        reader = csv.DictReader(handle)
        try:
            for row in reader:
                yield reader.line_num, {str(name): value for name, value in row.items() if name is not None}
        except csv.Error as error:
            yield reader.line_num, str(error)


def _observation(row: dict[str, Any], path: Path) -> Observation | str:
    time = next((name for name in TIMES if row.get(name) not in (None, "")), None)
    if time is None:
        return f"no time among {list(row)[:8]}"
    at = _moment(row[time])
    if at is None:
        return f"{str(row[time])[:40]!r} is no time"
    entity = next((name for name in ENTITIES if row.get(name) not in (None, "")), None)
    values = {name: _value(value) for name, value in row.items() if name not in (time, entity)}
    return Observation(str(row[entity]) if entity else path.stem, at, values)


def _moment(text: Any) -> datetime | None:
    """Parse ISO 8601 or seconds since 1970; UTC if there is no time zone. None if it is neither."""
    try:
        if isinstance(text, int | float) and not isinstance(text, bool):
            return datetime.fromtimestamp(float(text), UTC)
        try:
            moment = datetime.fromisoformat(str(text).strip())
        except ValueError:
            return datetime.fromtimestamp(float(str(text)), UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _value(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
