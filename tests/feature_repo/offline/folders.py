"""Helpers that write a Parquet file of a test in one line."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def at(*moments: datetime) -> dict[str, pa.Array]:
    """Returns the event and created time columns for rows at the given times."""
    column = pa.array(list(moments), pa.timestamp("us", "UTC"))
    return {"event_timestamp": column, "created_timestamp": column}


def write(path: Path, **columns: Any) -> Path:
    """Writes one Parquet file, creates its folder, and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path
