"""Files of the own encoder, read by every engine that reads Refrain's tables."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from transforms import parquet
from transforms.small_parquet.encode import MOST_ELEMENTS, MOST_ROWS, encode, small_files

TYPES = {
    "text": pl.String(),
    "number": pl.Int64(),
    "share": pl.Float64(),
    "flag": pl.Boolean(),
    "at": pl.Datetime("us", "UTC"),
    "words": pl.List(pl.String()),
    "numbers": pl.List(pl.Int64()),
}
MOMENT = datetime(2024, 1, 1, 1, 2, 3, 4, tzinfo=UTC)
VALUES: dict[str, list] = {
    "text": ["ann", "", "Beyoncé – 晴れ", "a long text " * 20, None],
    "number": [1, 0, -(2**63), 2**63 - 1, None],
    "share": [0.5, float("inf"), float("nan"), -0.0, None],
    "flag": [True, False, None],
    "at": [MOMENT, datetime(1, 1, 1, tzinfo=UTC), None],
    "words": [["a", "b"], [], ["", None], ["晴れ"] * 9, None],
    "numbers": [[1, 2, 3], [4], [-(2**63), None], None],
}
"""Values of each type, the last of which is missing."""


def random_rows(rng: np.random.Generator, height: int) -> pl.DataFrame:
    """Rows of all types; of each column some, all or none are missing."""
    columns = {}
    for name, values in VALUES.items():
        choices = [values, values[:-1], values[-1:], values[:1]][rng.integers(0, 4)]
        columns[name] = [choices[place] for place in rng.integers(0, len(choices), height)]
    return pl.DataFrame(columns, schema=TYPES)


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
    rng, path = np.random.default_rng(1), tmp_path / "a.parquet"
    for height in (0, 1, 2, 8, 9, 130, MOST_ROWS):
        rows = random_rows(rng, height)
        path.write_bytes(next(encode(rows, [height])))
        assert_frame_equal(READERS[name](path), rows, check_exact=True)


@pytest.mark.parametrize("seed", range(30))
def test_slices_are_files_whose_bytes_depend_on_their_rows_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [random_rows(rng, int(rng.integers(0, 12))) for _ in range(rng.integers(1, 5))]
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
    listed = pl.DataFrame({"words": [["a", "b"] * MOST_ELEMENTS, None, []]})
    of_days = pl.DataFrame({"day": [date(2026, 3, 1)]})
    frames = [small, long, small, listed, of_days]
    assert [small_files(rows, [rows.height])[0] for rows in frames] == [True, False, True, False, False]
    files = {tmp_path / f"{number}" / "a.parquet": rows for number, rows in enumerate(frames)}
    parquet.write_all(files, {path: {"number": path.parent.name} for path in files})
    for path, rows in files.items():
        assert pl.read_parquet(path, hive_partitioning=False).equals(rows)
        assert parquet.metadata(path)["number"] == path.parent.name
    assert not list(tmp_path.rglob(".partial-*"))
    alone = tmp_path / "alone.parquet"
    parquet.write_whole(small, alone, metadata={"number": "2"})
    assert alone.read_bytes() == (tmp_path / "2" / "a.parquet").read_bytes()


def test_slices_of_a_frame_are_the_files_of_their_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "FILES_AT_ONCE", 3)
    rng, heights = np.random.default_rng(2), [3, 1, 0, MOST_ROWS + 1, 5, 2, 7]
    frames = [random_rows(rng, height) for height in heights]
    slices, whole = ([tmp_path / kind / f"{number}.parquet" for number in range(7)] for kind in ("slices", "whole"))
    parquet.write_slices(pl.concat(frames), dict(zip(slices, heights, strict=True)))
    parquet.write_all(dict(zip(whole, frames, strict=True)))
    assert [path.read_bytes() for path in slices] == [path.read_bytes() for path in whole]
    parquet.write_slices(frames[0], {})
