"""One reader of history: training sets and ``materialize`` get the same order, types, units, names and files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import ValueType
from feast.types import Int64, String

from feature_repo.errors import InputError, StoreError
from feature_repo.stores import parquet_files
from feature_repo.stores.as_of import LOWEST
from feature_repo.stores.join import Limits
from feature_repo.stores.keys import all_keys
from feature_repo.stores.offline import AsOfOfflineStore, histories_of
from feature_repo.stores.reading import reading
from feature_repo.stores.spine import key_codes, moments
from tests.feature_repo.offline.engines import Engine
from tests.feature_repo.offline.trees import DAY, NOON, days, newest, offline, offline_and_newest_values, view_of, write

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
