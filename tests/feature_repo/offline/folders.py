"""Parquet files of a test, in one line each."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def at(*moments: datetime) -> dict[str, pa.Array]:
    """Event and created times of some rows."""
    column = pa.array(list(moments), pa.timestamp("us", "UTC"))
    return {"event_timestamp": column, "created_timestamp": column}


def write(path: Path, **columns: Any) -> Path:
    """One file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path
