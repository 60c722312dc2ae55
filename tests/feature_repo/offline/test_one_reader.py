"""One reader of history: training sets and ``materialize`` get the same order, types, units, names and files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Array, FeastType, Float32, Float64, Int32, Int64, String

from feature_repo.errors import InputError, StoreError
from feature_repo.packed.decode import decode
from feature_repo.packed.encode import encode
from feature_repo.stores import parquet_files
from feature_repo.stores.as_of import LOWEST
from feature_repo.stores.column_types import unified
from feature_repo.stores.join import Limits
from feature_repo.stores.keys import all_keys
from feature_repo.stores.offline import AsOfOfflineStore, histories_of
from feature_repo.stores.protobuf import raw_values, schema_of
from feature_repo.stores.reading import reading
from feature_repo.stores.spine import key_codes, moments
from tests.feature_repo.offline.engines import Engine, open_engine

DAY = datetime(2026, 4, 1, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine("ours", tmp_path_factory.mktemp("ours"))


def days(*numbers: float | None, unit: str = "us", zone: str | None = "UTC") -> pa.Array:
    times = [None if number is None else DAY + timedelta(days=number) for number in numbers]
    return pa.array(times, pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.timestamp("us", zone)).cast(
        pa.timestamp(unit, zone)
    )  # fmt: skip


def write(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def view_of(
    path: Path,
    features: dict[str, FeastType],
    *,
    key: str = "tree_id",
    created: str = "",
    dtype: ValueType = ValueType.STRING,
) -> FeatureView:
    source = FileSource(
        name="trees_source", path=str(path), timestamp_field="event_timestamp", created_timestamp_column=created
    )
    return FeatureView(
        name="trees",
        entities=[Entity(name="tree", join_keys=[key], value_type=dtype)],
        schema=[
            Field(name=key, dtype=Int64 if dtype == ValueType.INT64 else String),
            *(Field(name=name, dtype=kind) for name, kind in features.items()),
        ],
        source=source,
        ttl=timedelta(0),
    )


def offline(engine: Engine, view: FeatureView, spine: pa.Table) -> dict[str, list]:
    references = [f"trees:{feature.name}" for feature in view.features]
    job = AsOfOfflineStore.get_historical_features(engine.config, [view], references, spine, engine.registry, "oracle")  # type: ignore[arg-type]
    return job.to_arrow().select([feature.name for feature in view.features]).to_pydict()


def newest(engine: Engine, view: FeatureView, until: datetime = NOON + timedelta(days=99)) -> dict[Any, dict[str, Any]]:
    """Returns the rows that ``materialize`` reads, by key."""
    source, key = view.batch_source, view.entity_columns[0].name
    assert source is not None
    names = [feature.name for feature in view.features]
    job = AsOfOfflineStore.pull_latest_from_table_or_query(
        engine.config, source, [key], names, "event_timestamp", source.created_timestamp_column or None, DAY, until
    )
    rows = {row[key]: {name: row[name] for name in names} for row in job.to_arrow().to_pylist()}
    batch_rows = [row for batch in job.batches(2) for row in batch.to_pylist()]  # type: ignore[attr-defined]
    assert {row[key]: {name: row[name] for name in names} for row in batch_rows} == rows
    return rows


def offline_and_newest_values(engine: Engine, view: FeatureView, keys: list[Any]) -> list[dict[str, Any]]:
    """Returns the values of the keys, after checking that a training set and ``materialize`` agree on them."""
    key_name = view.entity_columns[0].name
    until = NOON + timedelta(days=99)
    values = offline(engine, view, pa.table({key_name: keys, "event_timestamp": pa.array([until] * len(keys))}))
    rows = [dict(zip(values, row_values, strict=True)) for row_values in zip(*values.values(), strict=True)]
    newest_rows = newest(engine, view, until)
    assert [newest_rows.get(key, dict.fromkeys(values)) for key in keys] == rows
    return rows


# Spine rows without a time.


@pytest.mark.parametrize(
    ("spine", "expected"),
    [
        ([("alice", None), ("bob", 1)], [None, None]),
        ([("aaron", 1), ("alice", None)], [None, None]),
        ([("alice", None), ("alice", 1), ("bob", 1)], [None, "SE", None]),
        ([("alice", None)], [None]),
    ],
)
def test_a_row_without_a_moment_reaches_nobody(
    engine: Engine, tmp_path: Path, spine: list[tuple[str, float | None]], expected: list
) -> None:
    path = write(tmp_path / "v.parquet", tree_id=["alice"], country=["SE"], event_timestamp=days(0))
    spine_table = pa.table({"tree_id": [key for key, _ in spine], "event_timestamp": days(*(day for _, day in spine))})
    assert offline(engine, view_of(path, {"country": String}), spine_table) == {"country": expected}


def test_only_keys_that_ask_are_numbered() -> None:
    codes, row_codes = key_codes(pl.DataFrame({"k": ["b", "a", None, "c"]}), np.array([True, False, True, True]))
    assert codes["k"].to_list() == ["b", "c"]
    assert row_codes.tolist() == [0, -1, -1, 1]


# Ties and the order of rows.


@pytest.mark.parametrize("created", ["", "created_timestamp"])
def test_the_last_in_the_files_wins_a_tie(engine: Engine, tmp_path: Path, created: str) -> None:
    random = np.random.default_rng(1)
    for number in range(3):
        table = {
            "tree_id": [f"t{key}" for key in random.integers(0, 50, 400)],
            "n": np.arange(400) + 1000 * number,
            "event_timestamp": days(*[0] * 400),
            "created_timestamp": days(*[0] * 400),
        }
        write(tmp_path / "v" / f"part-{number}.parquet", **table)
    rows = [row for number in range(3) for row in pq.read_table(tmp_path / "v" / f"part-{number}.parquet").to_pylist()]
    last = {row["tree_id"]: row["n"] for row in rows}
    values = offline_and_newest_values(engine, view_of(tmp_path / "v", {"n": Int64}, created=created), sorted(last))
    assert [row["n"] for row in values] == [last[key] for key in sorted(last)]


def test_a_null_created_time_is_the_oldest(engine: Engine, tmp_path: Path) -> None:
    path = write(
        tmp_path / "v.parquet",
        tree_id=["oak"] * 3,
        x=[10, 20, 30],
        event_timestamp=days(0, 0, 0),
        created_timestamp=days(None, 3, 2),
    )
    assert offline_and_newest_values(engine, view_of(path, {"x": Int64}, created="created_timestamp"), ["oak"]) == [
        {"x": 20}
    ]


def test_what_is_pushed_is_the_last_of_the_files(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path / "v" / "zone=1" / "part-0.parquet", tree_id=["oak"], x=[1], event_timestamp=days(0))
    view = view_of(tmp_path / "v", {"x": Int64})
    for x in (2, 3, 4):
        rows = pa.table({"tree_id": ["oak"], "x": [x], "event_timestamp": days(0)})
        AsOfOfflineStore.offline_write_batch(engine.config, view, rows, None)
        assert offline_and_newest_values(engine, view, ["oak"]) == [{"x": x}]


# Times: units, range and zones.


def test_instants_of_one_microsecond_tie(engine: Engine, tmp_path: Path) -> None:
    start = int(DAY.timestamp()) * 10**9
    times = pa.array([start + 2, start + 1, start + 999], pa.int64()).cast(pa.timestamp("ns", "UTC"))
    created = pa.array([5, 7, 6], pa.timestamp("us", "UTC"))
    path = write(
        tmp_path / "v.parquet", tree_id=["oak"] * 3, x=[1, 2, 3], event_timestamp=times, created_timestamp=created
    )
    view = view_of(path, {"x": Int64}, created="created_timestamp")
    assert offline_and_newest_values(engine, view, ["oak"]) == [{"x": 2}]
    assert newest(engine, view, DAY) == {"oak": {"x": 2}}  # 999 ns after the end is in the same microsecond as the end
    spine = pa.table({"tree_id": ["oak"] * 2, "event_timestamp": pa.array([DAY, DAY - timedelta(microseconds=1)])})
    assert offline(engine, view, spine) == {"x": [2, None]}


def test_the_calendar_has_all_its_microseconds(engine: Engine, tmp_path: Path) -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    times = pa.array([first, last], pa.timestamp("us", "UTC"))
    path = write(tmp_path / "v.parquet", tree_id=["oak"] * 2, x=[1, 2], event_timestamp=times)
    view = view_of(path, {"x": Int64})
    spine = pa.table({"tree_id": ["oak"] * 3, "event_timestamp": pa.array([first, DAY, last], times.type)})
    assert offline(engine, view, spine) == {"x": [1, 1, 2]}
    with pytest.raises(InputError, match="between the years 1 and 9999"):
        moments(pa.table({"t": pa.array([253_402_300_800_000_000]).cast(pa.timestamp("us"))}), "t")


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("month", [1, 7])
def test_a_zone_has_its_summers_for_ever(engine: Engine, tmp_path: Path, zone: str, month: int) -> None:
    """Python and polars differ in their zone rules after 2100: a bound in local time would be an hour late."""
    moment = datetime(2150, month, 1, 12, tzinfo=UTC)
    times = pa.array([moment, moment - timedelta(hours=1)], pa.timestamp("us", zone))
    path = write(tmp_path / "trees.parquet", tree_id=["elm", "oak"], event_timestamp=times, high=[1, 2])
    view = view_of(path, {"high": Int64})
    assert newest(engine, view, moment) == {"elm": {"high": 1}, "oak": {"high": 2}}
    view.ttl = timedelta(minutes=5)
    spine_times = [moment, moment - timedelta(minutes=56)]
    assert offline(engine, view, pa.table({"tree_id": ["elm", "oak"], "event_timestamp": spine_times})) == {
        "high": [1, 2]
    }


def test_moments_are_rounded_down() -> None:
    table = pa.table({"t": pa.array([-1, 1, 999, 1000, None], pa.int64()).cast(pa.timestamp("ns"))})
    assert moments(table, "t").tolist() == [-1, 0, 0, 1, LOWEST]


# Column names.


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("tree_id", ["ph", "pH", "PH"]),
        ("user_id", ["User_ID", "USER_ID"]),
        ("code", ["row", "newest", "event", "key 0", "refrain_row"]),
        ("tree_id", ['a "quoted" one', "a.b", "sp ace", "(SELECT 1)"]),
    ],
)
def test_names_are_taken_as_they_are(engine: Engine, tmp_path: Path, key: str, names: list[str]) -> None:
    values = {name: [place, place + 10] for place, name in enumerate(names)}
    path = write(tmp_path / "v.parquet", **{key: ["oak", "elm"]}, **values, event_timestamp=days(0, 0))
    view = view_of(path, dict.fromkeys(names, Int64), key=key)
    expected = [{name: place + offset for place, name in enumerate(names)} for offset in (0, 10)]
    assert offline_and_newest_values(engine, view, ["oak", "elm"]) == expected
    (history,) = histories_of(engine.config, [view], [f"trees:{name}" for name in names], False)
    spine = all_keys([history], DAY, NOON, limits=Limits())
    assert spine.table.to_table().to_pydict() == {key: ["elm", "oak"], "event_timestamp": [NOON, NOON]}  # type: ignore[union-attr]


def test_keys_whose_names_differ_by_case_stay_apart(engine: Engine, tmp_path: Path) -> None:
    lower = write(tmp_path / "a.parquet", tree=["oak"], x=[1], event_timestamp=days(0))
    upper = write(tmp_path / "b.parquet", Tree=["elm"], x=[1], event_timestamp=days(0))
    views = [view_of(path, {"x": Int64}, key=key) for path, key in ((lower, "tree"), (upper, "Tree"))]
    spine = all_keys(histories_of(engine.config, views, ["trees:x"], True), DAY, NOON, limits=Limits())
    rows = spine.table.to_table().select(["tree", "Tree"]).to_pylist()  # type: ignore[union-attr]
    assert rows == [{"tree": "oak", "Tree": None}, {"tree": None, "Tree": "elm"}]


# Files of one table with different schemas.

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


# Keys in the paths (Hive partitions).


@pytest.mark.parametrize(
    ("dtype", "texts", "keys"),
    [
        (ValueType.STRING, ["007", "7", "u=1%2F2", "__HIVE_DEFAULT_PARTITION__"], ["007", "7", "u=1/2"]),
        (ValueType.INT64, ["007", "8"], [7, 8]),
    ],
)
def test_the_declared_type_says_what_a_path_means(
    engine: Engine, tmp_path: Path, dtype: ValueType, texts: list[str], keys: list
) -> None:
    for number, text in enumerate(texts):
        write(tmp_path / "v" / f"tree_id={text}" / "a.parquet", x=[number], event_timestamp=days(0))
    view = view_of(tmp_path / "v", {"x": Int64}, dtype=dtype)
    spine = pa.table({"tree_id": keys, "event_timestamp": [NOON] * len(keys)})
    assert offline(engine, view, spine) == {"x": list(range(len(keys)))}


def test_texts_in_paths_without_a_declaration_lose_nothing(engine: Engine, tmp_path: Path) -> None:
    for folder, texts in (("texts", ["007", "8"]), ("numbers", ["7", "8"])):
        for text in texts:
            write(tmp_path / folder / f"tree_id={text}" / "a.parquet", x=[1], event_timestamp=days(0))
    assert sorted(newest(engine, view_of(tmp_path / "texts", {"x": Int64}))) == ["007", "8"]
    assert sorted(newest(engine, view_of(tmp_path / "numbers", {"x": Int64}))) == [7, 8]


def test_a_feature_added_later_beside_a_key_in_the_paths(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path / "v" / "tree_id=a" / "0.parquet", x=[1], event_timestamp=days(0))
    write(tmp_path / "v" / "tree_id=b" / "0.parquet", x=[2], y=[3], event_timestamp=days(0))
    rows = offline_and_newest_values(engine, view_of(tmp_path / "v", {"x": Int64, "y": Int64}), ["a", "b"])
    assert rows == [{"x": 1, "y": None}, {"x": 2, "y": 3}]


def test_a_text_in_a_path_that_is_no_number_is_told(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path / "v" / "tree_id=oak" / "0.parquet", x=[1], event_timestamp=days(0))
    view = view_of(tmp_path / "v", {"x": Int64}, dtype=ValueType.INT64)
    with pytest.raises(StoreError, match="Int64 as 'tree_id' in the paths .*found tree_id=oak"):
        offline(engine, view, pa.table({"tree_id": [1], "event_timestamp": [NOON]}))


# Pushes.

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


# Groups of files.


def test_columns_are_read_by_place_whatever_the_groups(tmp_path: Path) -> None:
    """Files with two alternating schemas: each row keeps the number of its position."""
    files = []
    for number in range(6):
        dtype = pa.int32() if number % 2 else pa.int64()
        x = pa.array([number * 10 + n for n in range(number)], dtype)
        files.append(str(write(tmp_path / f"{number}.parquet", x=x)))
    groups = parquet_files.grouped(files, [parquet_files.state(file) for file in files], ["x"], ())
    assert [len(group.files) for group in groups] == [3, 3]
    value_by_number: dict[int, int] = {}
    for group in groups:
        frame = group.scan(["x"], "row").collect()
        numbers = group.numbers(frame["row"].to_numpy().astype(np.int64))
        value_by_number |= dict(zip(numbers.tolist(), frame["x"].to_list(), strict=True))
        row_numbers, rows = group.locate(np.arange(15))
        assert row_numbers.tolist() == numbers.tolist()
        assert rows.tolist() == frame["row"].to_list()
    assert [value_by_number[row_number] for row_number in range(15)] == [n * 10 + m for n in range(6) for m in range(n)]


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


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_files_that_are_older_throughout_are_not_read_again(engine: Engine, tmp_path: Path, unit: str) -> None:
    """The reader makes two passes for the newest rows; the second reads only files that can contain them."""
    for number in range(3):
        write(
            tmp_path / "v" / f"{number}.parquet", tree_id=["oak"], x=[number], event_timestamp=days(number, unit=unit)
        )
    view = view_of(tmp_path / "v", {"x": Int64})
    assert offline_and_newest_values(engine, view, ["oak"]) == [{"x": 2}]
    (history,) = histories_of(engine.config, [view], ["trees:x"], False)
    last = int((DAY + timedelta(days=2)).timestamp()) * 1_000_000
    with reading(history) as reader:
        file_groups = [group.files for group in reader._groups_since(last)]
        assert [Path(file).name for files in file_groups for file in files] == ["2.parquet"]
        assert [list(rows["x"]) for _, rows in reader.values(np.array([2]), {"x": "x"}, since=last, until=last)] == [
            [2]
        ]
