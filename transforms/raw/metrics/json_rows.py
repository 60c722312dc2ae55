"""JSON objects with a time and numbers, one a line or in an array; a metric has points only where the object has it."""

from typing import Any

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.records import records
from transforms.raw.metrics.columns import series_of
from transforms.raw.metrics.format import Choice, MetricFormat, Readings


def _read(member: Member, choice: Choice) -> Readings:
    readings = Readings()
    rows: list[dict[str, Any]] = []
    for batch in records(member):
        rows += batch.rows
        readings.malformed += batch.malformed
    readings.records = len(rows) + len(readings.malformed)
    names = list(dict.fromkeys(name for row in rows for name in row))
    texts = pl.DataFrame([pl.Series(name, [_text(row.get(name)) for row in rows], pl.String) for name in names])
    return series_of(texts, member, choice, readings, ".", "object")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, list | dict):
        return None
    text = str(int(value)) if isinstance(value, bool) else str(value)
    return text.encode(errors="replace").decode()


JSON_ROWS = MetricFormat("JSON objects", lambda head: bool(head.keys), _read, is_general=True)
"""Any objects."""
