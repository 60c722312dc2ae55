"""Files of the own encoder, read by every engine that reads Refrain's tables."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms import parquet
from transforms.small_parquet import MOST_ROWS, encode, is_small

TYPES = {
    "text": pl.String(),
    "number": pl.Int64(),
    "share": pl.Float64(),
    "flag": pl.Boolean(),
    "at": pl.Datetime("us", "UTC"),
}
ROWS = st.tuples(
    st.one_of(st.none(), st.text(max_size=20)),
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.none(), st.floats()),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.datetimes(datetime(1, 1, 1), timezones=st.just(UTC))),
)


def frame(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TYPES, orient="row")


def read_by_duckdb(path: Path) -> pl.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(f"SELECT * FROM read_parquet('{path}')").pl().cast(TYPES)  # type: ignore[arg-type]


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "polars": lambda path: pl.read_parquet(path, hive_partitioning=False),
    "polars, lazily": lambda path: pl.scan_parquet(path, schema=TYPES, hive_partitioning=False).collect(),
    "pyarrow": lambda path: pl.DataFrame(pq.read_table(path)),
    "pyarrow's dataset": lambda path: pl.DataFrame(ds.dataset(path).to_table()),
    "duckdb": read_by_duckdb,
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_gives_back_the_rows(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    moment = datetime(2024, 1, 1, 1, 2, 3, 4, tzinfo=UTC)
    columns = [["ann", "", "Beyoncé – 晴れ", None], [1, -(2**63), None], [0.5, float("inf"), None]]
    columns += [[True, False, None], [moment, None]]
    for height in (0, 1, 2, 7, 8, 9, 129, MOST_ROWS):
        for has_nulls in (True, False):
            picked = [[values[place] for place in rng.integers(0, len(values) - (not has_nulls), height)]
                      for values in columns]  # fmt: skip
            rows = pl.DataFrame(dict(zip(TYPES, picked, strict=True)), schema=TYPES)
            path = tmp_path / f"{height}-{has_nulls}.parquet"
            path.write_bytes(next(encode(rows, [height])))
            assert_frame_equal(READERS[name](path), rows, check_exact=True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(ROWS, max_size=9), min_size=1, max_size=3))
def test_slices_are_files_whose_bytes_depend_on_their_rows_alone(slices: list[list[tuple]]) -> None:
    rows = [frame(part) for part in slices]
    files = list(encode(pl.concat(rows), [part.height for part in rows]))
    for part, file in zip(rows, files, strict=True):
        assert_frame_equal(pl.read_parquet(BytesIO(file)), part, check_exact=True)
        assert file == next(encode(part, [part.height]))


def test_many_columns_and_metadata(tmp_path: Path) -> None:
    rows = pl.DataFrame({f"column {number}": [number, None] for number in range(40)})
    path = tmp_path / "wide.parquet"
    parquet.write_whole(rows, path, metadata={"refrain.inputs": "ü" * 300, "empty": ""})
    assert pl.read_parquet(path).equals(rows)
    assert parquet.metadata(path) == {"refrain.inputs": "ü" * 300, "empty": ""}
    assert pq.read_metadata(path).created_by == "Refrain"


def test_frames_that_are_long_or_of_other_types_are_left_to_polars(tmp_path: Path) -> None:
    small, long = pl.DataFrame({"n": range(MOST_ROWS)}), pl.DataFrame({"n": range(MOST_ROWS + 1)})
    listed = pl.DataFrame({"words": [["a", "b"], None, []]})
    assert is_small(small)
    assert not is_small(long)
    assert not is_small(listed)
    files = {tmp_path / f"{number}" / "a.parquet": rows for number, rows in enumerate([small, long, small, listed])}
    parquet.write_all(files, {path: {"number": path.parent.name} for path in files})
    for path, rows in files.items():
        assert pl.read_parquet(path, hive_partitioning=False).equals(rows)
        assert parquet.metadata(path)["number"] == path.parent.name
    assert not list(tmp_path.rglob(".partial-*"))
    alone = tmp_path / "alone.parquet"
    parquet.write_whole(small, alone, metadata={"number": "2"})
    assert alone.read_bytes() == (tmp_path / "2" / "a.parquet").read_bytes()
