"""Types of columns: files of one table may differ, and a feature has its declared type."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast.types import Array, FeastType, Float32, Float64, Int32, Int64, String

from feature_repo.errors import InputError, StoreError
from feature_repo.packed.decode import decode
from feature_repo.packed.encode import encode
from feature_repo.stores import parquet_files
from feature_repo.stores.column_types import unified
from feature_repo.stores.protobuf import raw_values, schema_of
from tests.feature_repo.offline.engines import Engine
from tests.feature_repo.offline.trees import DAY, NOON, days, newest, offline, offline_and_newest_values, view_of, write

_DECIMALS = pa.array(["1.5"]).cast(pa.decimal128(4, 1)), pa.array(["2.25"]).cast(pa.decimal128(12, 2))
_CHANGES: dict[str, tuple[Any, Any, list]] = {
    "int64 then int32": (pa.array([2**40]), pa.array([2], pa.int32()), [2**40, 2]),
    "int64 then double": (pa.array([1]), pa.array([2.5]), [1, 2.5]),
    "unsigned then signed": (pa.array([1], pa.uint32()), pa.array([-2], pa.int8()), [1, -2]),
    "text then category": (pa.array(["a"]), pa.array(["b"]).dictionary_encode(), ["a", "b"]),
    "category then large text": (pa.array(["a"]).dictionary_encode(), pa.array(["b"], pa.large_string()), ["a", "b"]),
    "number then nothing but nulls": (pa.array([1]), pa.nulls(1), [1, None]),
    "nulls then text": (pa.nulls(1), pa.array(["b"]), [None, "b"]),
    "decimals of other scale": (*_DECIMALS, [_DECIMALS[0][0].as_py(), _DECIMALS[1][0].as_py()]),
    "struct that grew": (
        pa.array([{"a": 1}]),
        pa.array([{"a": 2, "b": "x"}]),
        [{"a": 1, "b": None}, {"a": 2, "b": "x"}],
    ),
    "list of structs that grew": (
        pa.array([[{"a": 1}]]),
        pa.array([[{"b": "x", "a": 2}], None]).slice(0, 1),
        [[{"a": 1, "b": None}], [{"a": 2, "b": "x"}]],
    ),
    "list then list of a size": (
        pa.array([[1.0]], pa.list_(pa.float32())),
        pa.array([[2.0, 3.0]], pa.list_(pa.float32(), 2)),
        [[1.0], [2.0, 3.0]],
    ),
    "map": (*(pa.array([[("k", n)]], pa.map_(pa.string(), pa.int64())) for n in (1, 2)), [[("k", 1)], [("k", 2)]]),
    "offset then zone": (
        pa.array([DAY], pa.timestamp("us", "+05:30")),
        pa.array([DAY], pa.timestamp("ms", "Asia/Tokyo")),
        [DAY, DAY],
    ),
    "nanoseconds, negative": (
        pa.array([-1], pa.timestamp("ns", "UTC")),
        pa.array([1], pa.timestamp("ns", "UTC")),
        [datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)],
    ),
}


@pytest.mark.parametrize("units", [("ms", "us"), ("us", "ns"), ("us", "us")])
@pytest.mark.parametrize("change", list(_CHANGES))
def test_files_of_one_table_may_differ(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, units: tuple[str, str]
) -> None:
    monkeypatch.setattr(parquet_files, "GROUP_ROWS", 1)
    before, after, expected = _CHANGES[change]
    for number, (values, unit, zone) in enumerate(zip((before, after), units, ("UTC", None), strict=True)):
        times = days(0, unit=unit, zone=zone)
        write(tmp_path / "v" / f"{number}.parquet", tree_id=[f"t{number}"], x=values, event_timestamp=times)
    rows = offline_and_newest_values(engine, view_of(tmp_path / "v", {"x": Float64}), ["t0", "t1"])
    assert [row["x"] for row in rows] == expected


@pytest.mark.parametrize("zone", ["+05:30", "-03:00", "Mars/Base"])
@pytest.mark.parametrize("where", ["unused", "event_timestamp", "x"])
def test_a_zone_that_polars_does_not_know_may_stand_anywhere(
    engine: Engine, tmp_path: Path, zone: str, where: str
) -> None:
    columns = {"tree_id": pa.array(["oak", "elm"]), "x": pa.array([1, 2]), "event_timestamp": days(0, 1)}
    columns |= {where: days(0, 1).cast(pa.timestamp("us", zone))}
    path = write(tmp_path / "v.parquet", **columns)
    values = [DAY, DAY + timedelta(days=1)] if where == "x" else [1, 2]
    assert [
        row["x"] for row in offline_and_newest_values(engine, view_of(path, {"x": Int64}), ["oak", "elm"])
    ] == values


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [
        ("tree_id", ["oak"], [7]),
        ("x", [1], ["one"]),
        ("x", [True], [1]),
        ("x", [[1]], [1]),
        ("event_timestamp", days(0), ["2026-04-01"]),
    ],
)
def test_types_that_no_type_holds_are_told(
    engine: Engine, tmp_path: Path, column: str, before: Any, after: Any
) -> None:
    for name, values in (("a", before), ("b", after)):
        columns = {"tree_id": ["oak"], "x": [1], "event_timestamp": days(0), column: values}
        write(tmp_path / "v" / f"{name}.parquet", **columns)
    view = view_of(tmp_path / "v", {"x": Int64})
    for read in (
        lambda: newest(engine, view),
        lambda: offline(engine, view, pa.table({"tree_id": ["oak"], "event_timestamp": [NOON]})),
    ):
        with pytest.raises(StoreError, match=rf"'{column}' behind the view .*v/a.parquet, .*v/b.parquet"):
            read()


def test_repeated_columns_are_told(engine: Engine, tmp_path: Path) -> None:
    table = pa.table(
        [pa.array(["oak"]), pa.array([1]), pa.array([2]), days(0)], ["tree_id", "x", "x", "event_timestamp"]
    )
    pq.write_table(table, tmp_path / "v.parquet")
    with pytest.raises(StoreError, match=r"one column of each name .* found several columns 'x' in .*v.parquet"):
        newest(engine, view_of(tmp_path / "v.parquet", {"x": Int64}))


def test_empty_files_and_groups_count_for_nothing(engine: Engine, tmp_path: Path) -> None:
    nothing = {"tree_id": pa.nulls(0), "x": pa.nulls(0), "event_timestamp": pa.nulls(0)}
    write(tmp_path / "v" / "a.parquet", **nothing)
    view = view_of(tmp_path / "v", {"x": Int64})
    assert newest(engine, view) == {}
    write(tmp_path / "v" / "b.parquet", tree_id=["oak"], x=[1], event_timestamp=days(0))
    write(tmp_path / "v" / "c.parquet", **nothing)
    write(tmp_path / "v" / "d.parquet", tree_id=["elm"], x=[2], event_timestamp=pa.nulls(1))
    assert offline_and_newest_values(engine, view, ["oak", "elm"]) == [{"x": 1}, {"x": None}]


def test_unified_types_do_not_depend_on_the_order_of_files() -> None:
    types = [pl.Int8(), pl.Int64(), pl.UInt32(), pl.UInt64(), pl.Float32(), pl.Float64(), pl.Decimal(4, 1), pl.Null()]
    types += [pl.String(), pl.Date(), pl.Datetime("us"), pl.Datetime("us", "UTC"), pl.Boolean(), pl.List(pl.Int8())]
    for first in types:
        for second in types:
            assert unified(first, second) == unified(second, first), (first, second)


def test_numbers_in_the_files_of_a_text_key_are_its_digits(engine: Engine, tmp_path: Path) -> None:
    """As they are online, where ``materialize`` converts keys to the declared type: "007" is another key."""
    write(tmp_path / "a.parquet", tree_id=[7, 8], n=[70, 80], event_timestamp=days(0, 0))
    view = view_of(tmp_path / "a.parquet", {"n": Int64})
    spine = pa.table({"tree_id": ["7", "007", "8"], "event_timestamp": days(1, 1, 1)})
    assert offline(engine, view, spine)["n"] == [70, None, 80]
    numbers = pa.table({"tree_id": [7, 8], "event_timestamp": days(1, 1)})
    assert offline(engine, view, numbers)["n"] == [70, 80]


@pytest.mark.parametrize("width", [pa.float32(), pa.float64()])
def test_whole_floats_in_the_files_of_a_text_key_are_its_digits(
    engine: Engine, tmp_path: Path, width: pa.DataType
) -> None:
    """pandas writes a column of whole numbers with a missing one as floats."""
    ids = pa.array([7, None, float("nan")], width)
    write(tmp_path / "a.parquet", tree_id=ids, n=[70, 80, 90], event_timestamp=days(0, 0, 0))
    view = view_of(tmp_path / "a.parquet", {"n": Int64})
    spine = pa.table({"tree_id": ["7", "7.0", "8", "nan"], "event_timestamp": days(1, 1, 1, 1)})
    assert offline(engine, view, spine)["n"] == [70, None, None, None]
    for invalid_key in (8.5, 2.0**53, float("inf")):
        write(tmp_path / "a.parquet", tree_id=pa.array([invalid_key], width), n=[1], event_timestamp=days(0))
        with pytest.raises(InputError, match="join key 'tree_id' of type String"):
            offline(engine, view, spine)


@pytest.mark.parametrize(
    ("declared", "in_files", "expected"),
    [
        (Float32, pa.array([0.1, None], pa.float64()), [float(np.float32(0.1)), None]),
        (Float64, pa.array([3, None], pa.int64()), [3.0, None]),
        (Int32, pa.array([3.0, None], pa.float64()), [3, None]),
        (String, pa.array([3, None], pa.int64()), ["3", None]),
        (String, pa.array([2.5, None], pa.float64()), ["2.5", None]),
        (Float64, pa.array([None, None], pa.null()), [None, None]),
        (Array(Float32), pa.array([[0.1, 2], None], pa.list_(pa.float64())), [[float(np.float32(0.1)), 2.0], None]),
        (
            Array(Float32),
            pa.array([[0.1, 2], [3, 4]], pa.list_(pa.float64(), 2)),
            [[float(np.float32(0.1)), 2], [3, 4]],
        ),
    ],
)
def test_a_feature_has_its_declared_type(
    engine: Engine, tmp_path: Path, declared: FeastType, in_files: pa.Array, expected: list
) -> None:
    """Whatever type the files have: as online, where values are packed in their declared types."""
    path = write(tmp_path / "a.parquet", tree_id=["a", "b"], x=in_files, event_timestamp=days(0, 0))
    view = view_of(path, {"x": declared})
    assert offline(engine, view, pa.table({"tree_id": ["a", "b"], "event_timestamp": days(1, 1)}))["x"] == expected
    schema = schema_of(view)
    packed = encode(schema, {"x": pq.read_table(path)["x"]}, days(0, 0), None)
    assert raw_values(decode(packed, schema, lambda _: None), schema.columns[0]) == expected


def test_a_value_that_does_not_fit_its_declared_type_is_refused(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", tree_id=["a"], x=[2.5], event_timestamp=days(0))
    with pytest.raises(StoreError, match=r"declared types behind the view trees.*2\.5"):
        offline(engine, view_of(path, {"x": Int64}), pa.table({"tree_id": ["a"], "event_timestamp": days(1)}))


def test_texts_of_a_number_are_refused_online(engine: Engine, tmp_path: Path) -> None:
    """A training set returns them as the files have them, so the online store must not convert them."""
    path = write(tmp_path / "a.parquet", tree_id=["a"], x=["12"], event_timestamp=days(0))
    view = view_of(path, {"x": Int64})
    assert offline_and_newest_values(engine, view, ["a"]) == [{"x": "12"}]
    with pytest.raises(InputError, match="Int64 in trees:x"):
        encode(schema_of(view), {"x": pq.read_table(path)["x"]}, days(0), None)
