"""Rows that are pushed into the files of a view: what fits is written, what does not is refused."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FileSource, ValueType
from feast.types import Float64, Int64, String

from feature_repo.errors import InputError
from feature_repo.stores.offline import AsOfOfflineStore
from tests.feature_repo.offline.engines import Engine
from tests.feature_repo.offline.trees import NOON, days, newest, offline, offline_and_newest_values, view_of, write

_PUSHES: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "an integer for a double": ({"height": [2]}, {"height": 2.0}),
    "a narrow float": ({"height": pa.array([2.5], pa.float32())}, {"height": 2.5}),
    "nobody has one": ({"nick": pa.nulls(1), "height": pa.nulls(1)}, {"nick": None, "height": None}),
    "a category": ({"nick": pa.array(["x"]).dictionary_encode()}, {"nick": "x"}),
    "a number as text": ({"nick": [7]}, {"nick": "7"}),
    "a whole double for an integer": ({"rings": [3.0]}, {"rings": 3}),
    "digits for an integer": ({"rings": ["3"]}, {"rings": 3}),
    "nanoseconds": ({"event_timestamp": days(1, unit="ns")}, {}),
    "a time without a zone": ({"event_timestamp": days(1, zone=None)}, {}),
    "an offset": ({"event_timestamp": days(1).cast(pa.timestamp("us", "+05:30"))}, {}),
    "a fraction for an integer": ({"rings": [3.5]}, None),
    "padded digits for an integer": ({"rings": ["03"]}, None),
    "a double as text": ({"nick": [7.0]}, None),
    "a boolean as text": ({"nick": [True]}, None),
    "a word for a double": ({"height": ["tall"]}, None),
    "a text as time": ({"event_timestamp": ["2026-04-01"]}, None),
    "a number as time": ({"event_timestamp": [5]}, None),
    "a list for a number": ({"rings": [[3]]}, None),
    "an integer that a double cannot hold": ({"height": [2**53 + 1]}, None),
}


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("push", list(_PUSHES))
def test_a_push_fits_or_is_refused(engine: Engine, tmp_path: Path, push: str, layout: str) -> None:
    row = {"tree_id": ["elm"], "height": [1.0], "nick": ["n"], "rings": [1], "event_timestamp": days(1)}
    path = write(tmp_path / "v" / "a.parquet", **row)
    view = view_of(path if layout == "file" else path.parent, {"height": Float64, "nick": String, "rings": Int64})
    changes, expected = _PUSHES[push]
    contents = {file: file.read_bytes() for file in path.parent.iterdir()}
    rows = pa.table({**row, "tree_id": ["oak"], **changes})
    if expected is None:
        with pytest.raises(InputError, match=r"values of the type .* pushed to the view trees.*nothing was written"):
            AsOfOfflineStore.offline_write_batch(engine.config, view, rows, None)
        assert {file: file.read_bytes() for file in path.parent.iterdir()} == contents
        return
    AsOfOfflineStore.offline_write_batch(engine.config, view, rows, None)
    plain_row = {"height": 1.0, "nick": "n", "rings": 1}
    assert offline_and_newest_values(engine, view, ["elm", "oak"]) == [plain_row, {**plain_row, **expected}]
    types = {
        str(dtype) for file in path.parent.iterdir() for dtype in [pq.read_schema(file).field("event_timestamp").type]
    }
    assert types == {"timestamp[us, tz=UTC]"}


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize(
    ("of_files", "dtype", "pushed_key", "expected_key"),
    [
        (pa.array(["elm"]), ValueType.STRING, 7, "7"),
        (pa.array([5]), ValueType.STRING, "7", 7),
        (pa.array([5], pa.int32()), ValueType.INT64, 2**40, 2**40),
        (pa.array([5]), ValueType.STRING, "oak", None),
    ],
)
def test_a_pushed_key_has_the_type_of_the_table(
    engine: Engine,
    tmp_path: Path,
    of_files: pa.Array,
    dtype: ValueType,
    pushed_key: Any,
    expected_key: Any,
    layout: str,
) -> None:
    path = write(tmp_path / "v" / "a.parquet", tree_id=of_files, x=[1], event_timestamp=days(0))
    view = view_of(path if layout == "file" else path.parent, {"x": Int64}, dtype=dtype)
    rows = pa.table({"tree_id": [pushed_key], "x": [2], "event_timestamp": days(0)})
    if expected_key is None:
        with pytest.raises(InputError, match="'tree_id' that is pushed"):
            AsOfOfflineStore.offline_write_batch(engine.config, view, rows, None)
        return
    AsOfOfflineStore.offline_write_batch(engine.config, view, rows, None)
    assert newest(engine, view)[expected_key] == {"x": 2}


def test_a_push_under_the_names_of_the_view_is_written_under_those_of_the_files(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "v" / "a.parquet", tree=["elm"], rings=[1], event_timestamp=days(0), more=["m"])
    source = FileSource(
        name="s",
        path=str(path.parent),
        timestamp_field="event_timestamp",
        field_mapping={"tree": "tree_id", "rings": "x"},
    )
    view = view_of(path.parent, {"x": Int64})
    view.batch_source = source
    rows = pa.table({"tree_id": ["oak"], "x": [2], "event_timestamp": days(0)})
    AsOfOfflineStore.offline_write_batch(engine.config, view, rows, None)
    spine = pa.table({"tree_id": ["elm", "oak"], "event_timestamp": [NOON] * 2})
    assert offline(engine, view, spine) == {"x": [1, 2]}


def test_a_file_keeps_its_rows_and_other_columns_when_it_grows(engine: Engine, tmp_path: Path) -> None:
    old = {
        "tree_id": ["elm", "elm"],
        "x": pa.array([1, 2], pa.int32()),
        "event_timestamp": days(0, 0),
        "more": ["m", "n"],
    }
    path = write(tmp_path / "v.parquet", **old)
    rows = pa.table({"tree_id": ["oak"], "x": [2**40], "event_timestamp": days(0)})
    AsOfOfflineStore.offline_write_batch(engine.config, view_of(path, {"x": Int64}), rows, None)
    assert pq.read_table(path).select(["tree_id", "x", "more"]).to_pydict() == {
        "tree_id": ["elm", "elm", "oak"],
        "x": [1, 2, 2**40],
        "more": ["m", "n", None],
    }
