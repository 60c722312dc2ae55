"""Footers of Parquet files: the newest value of each time column, at any position in the schema."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.stores.parquet_files import footer, state

NEWEST = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MICROSECONDS = round(NEWEST.timestamp() * 1_000_000)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_newest_time_is_that_of_its_own_column_beside_nested_ones(tmp_path: Path, unit: str) -> None:
    times = [NEWEST - timedelta(days=1), NEWEST, NEWEST - timedelta(days=2)]
    table = pa.table(
        {
            "profile": [{"at": 1, "tags": [{"name": "a", "score": 1.0}]}] * 3,
            "counts": pa.array([[("a", 1)]] * 3, pa.map_(pa.string(), pa.int64())),
            "at": pa.array(times, pa.timestamp(unit, "UTC")),
            "vector": pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float32(), 2)),
            "kind": pa.array(["x"] * 3).dictionary_encode(),
            "created": pa.array([time + timedelta(hours=1) for time in times], pa.timestamp(unit, "UTC")),
        }
    )
    file = str(tmp_path / "rows.parquet")
    pq.write_table(table, file, row_group_size=1)

    assert footer(file, state(file)).latest == {"at": MICROSECONDS, "created": MICROSECONDS + 3_600_000_000}


def test_a_time_that_is_null_in_one_row_group_has_no_newest_value(tmp_path: Path) -> None:
    file = str(tmp_path / "rows.parquet")
    times = pa.array([NEWEST, None], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"at": times, "also": pa.array([NEWEST] * 2, pa.timestamp("us"))}), file, row_group_size=1)

    assert footer(file, state(file)).latest == {"also": MICROSECONDS}
