"""Rows of a table as batches for ``transforms.raw.ingest``; refused rows with all their reasons."""

import json
from collections import defaultdict
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from transforms.raw.files.text import SHOWN
from transforms.raw.ingest import Batch
from transforms.raw.own_tables.cells import Converted, convert
from transforms.raw.own_tables.plan import ColumnPlan, Plan
from transforms.raw.own_tables.source import Chunk
from transforms.raw.own_tables.times import convert_times
from transforms.raw.validate import QUARANTINE


def to_batch(chunk: Chunk, plan: Plan) -> tuple[Batch, np.ndarray]:
    """Converts the rows of a chunk.

    Args:
        chunk: rows of the table.
        plan: where its columns go.

    Returns:
        The batch, and (rows of the chunk,) which of them it has; the others are malformed with their reasons.
    """
    columns: dict[str, pa.Array] = {}
    reasons: dict[int, list[str]] = defaultdict(list)
    for column in plan.columns:
        converted = _converted(chunk, column)
        columns[column.target] = converted.values
        for row, reason in converted.refused.items():
            reasons[row].append(f"{column.target}: {reason}")
    rows = pl.DataFrame({name: pl.Series(name, values) for name, values in columns.items()})
    fits = np.ones(chunk.rows, bool)
    fits[list(reasons)] = False
    refused = [("; ".join(reasons[row]), _line(chunk, row)) for row in sorted(reasons)]
    malformed = pl.DataFrame([*chunk.malformed, *refused], schema=QUARANTINE, orient="row")
    return Batch(plan.raw_table, rows.filter(pl.Series(fits)), malformed, chunk.done, chunk.total), fits


def _converted(chunk: Chunk, column: ColumnPlan) -> Converted:
    cells = chunk.columns[column.column]
    if column.time_form is not None:
        return convert_times(cells, column.time_form)
    return convert(cells, column.dtype, column.form)


def _line(chunk: Chunk, row: int) -> str:
    """A row of the table as JSON."""
    values = {name: _value(cells[row]) for name, cells in chunk.columns.items()}
    return json.dumps(values, default=str)[:SHOWN]


def _value(cell: Any) -> Any:
    if not isinstance(cell, pa.Scalar):
        return cell
    try:
        return cell.as_py()
    except (OverflowError, ValueError, UnicodeDecodeError):  # what Python cannot hold: years, nanoseconds, bytes
        return str(cell.cast(pa.binary()).as_py()) if pa.types.is_string(cell.type) else str(cell.type)
