"""Types of user-defined views: a value from a file or a push is the same offline and online, or is refused."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureService, Field, ValueType
from feast import types as t
from feast.data_source import PushMode
from feast.on_demand_feature_view import on_demand_feature_view

from feature_repo import clock
from feature_repo.compile_manifest import compile_manifest
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.stores import redis_server
from inference.features import OnlineFeatures
from tests.parity.own_views import HOUR, NOW, Shop, entity, times

K, U, W = entity("k"), entity("user_id", ValueType.INT64), entity("w", ValueType.UNIX_TIMESTAMP)
LARGE = 2**53 + 1
"""The smallest positive integer that a 64-bit float cannot hold."""
MOMENT = datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = Home(tmp_path_factory.mktemp("types")).ensure()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(home.root))
        patch.delenv(clock.NOW, raising=False)
        yield Shop(home)
    redis_server.stop(home)


def push(
    shop: Shop, name: str, *, to: PushMode = PushMode.ONLINE_AND_OFFLINE, event_time: Any = NOW, **columns: Any
) -> None:
    rows = pd.DataFrame(columns)
    shop.store.push(
        f"{name}_push", rows.assign(ts=pd.to_datetime([event_time] * len(rows), utc=True), created=NOW), to=to
    )


def slim_lookup(shop: Shop, view: Any, keys: dict[str, list[Any]]) -> list[Any]:
    shop.store.apply([FeatureService(name=f"{view.name}_v1", features=[view])])
    compile_manifest(shop.store, shop.home)
    return list(OnlineFeatures(f"{view.name}_v1", shop.home).get(keys).values[f"{view.name}__x"])


# Pushes.


def test_a_missing_key_or_value_rounds_no_other(shop: Shop) -> None:
    shop.put("big", {"user_id": [1], "x": [1]}, age=3 * HOUR)
    shop.view("big", [U], t.Int64, push=True)
    push(shop, "big", user_id=pd.array([LARGE, None, 2], "Int64"), x=pd.array([LARGE, 5, None], "Int64"))
    assert shop.offline_and_online("big", {"user_id": [LARGE, LARGE - 1]}) == ([LARGE, None], [LARGE, None])


def test_pushed_keys_have_one_name(shop: Shop) -> None:
    shop.put("named", {"k": ["a"], "x": [1]}, age=3 * HOUR)
    shop.view("named", [K], t.Int64, push=True)
    push(shop, "named", k=pd.array([7, None], "Int64"), x=[70, 0])
    push(shop, "named", k=[8.0, None], x=[80, 0])
    push(shop, "named", k=[b"bk"], x=[90])
    assert shop.offline_and_online("named", {"k": ["7", "8", "bk", "7.0", "b'bk'"]}) == ([70, 80, 90, None, None],) * 2
    uuid_key = uuid.UUID(int=5)
    push(shop, "named", to=PushMode.ONLINE, k=[uuid_key], x=[100])
    assert shop.store.get_online_features(["named:x"], {"k": [uuid_key]}).to_dict()["x"] == [100]


@pytest.mark.parametrize("key", [True, 7.5, 2.0**53])
def test_pushed_keys_that_cannot_be_one_are_refused(shop: Shop, key: Any) -> None:
    shop.put("keyed", {"user_id": [1], "x": [1]}, age=3 * HOUR)
    shop.view("keyed", [U], t.Int64, push=True)
    shop.materialize("keyed")
    for to in PushMode:
        with pytest.raises(InputError, match="user_id"):
            push(shop, "keyed", to=to, user_id=[key], x=[99])
    assert shop.offline_and_online("keyed", {"user_id": [1, 2**53]}) == ([1, None], [1, None])


@pytest.mark.parametrize(
    ("dtype", "there", "given"),
    [
        (t.Array(t.String), [["p"]], [["p", None]]),
        (t.Array(t.Int64), [[1]], [[1.5, 2.9]]),
        (t.Array(t.Bool), [[True]], [[2, 0]]),
        (t.String, ["s"], [{"a": 2}]),
        (t.Json, ['{"a":1}'], [{"a": 2, "b": "z"}]),
        (t.Uuid, [str(uuid.UUID(int=1))], ["nope"]),
        (t.Decimal, ["1.10"], ["x"]),
        (t.Bool, [True], [0.5]),
    ],
)
def test_a_push_that_materialize_would_refuse_comes_nowhere(shop: Shop, dtype: Any, there: Any, given: Any) -> None:
    name = f"refused_{dtype}".lower().replace("(", "_").replace(")", "")
    shop.put(name, {"k": ["a"], "x": there}, age=3 * HOUR)
    shop.view(name, [K], dtype, push=True)
    for to in PushMode:
        with pytest.raises(InputError):
            push(shop, name, to=to, k=["b"], x=given)
    shop.materialize(name)
    assert shop.offline_and_online(name, {"k": ["b"]}) == ([None], [None])


def test_structs_and_maps_can_be_pushed(shop: Shop) -> None:
    shop.put("struct", {"k": ["a"], "x": [{"a": 1, "b": "q"}]}, age=3 * HOUR)
    shop.view("struct", [K], t.Struct({"a": t.Int64, "b": t.String}), push=True)
    push(shop, "struct", k=["b"], x=[{"a": 5, "b": None}])
    assert shop.offline_and_online("struct", {"k": ["b"]}) == ([{"a": 5, "b": None}], [{"a": 5, "b": None}])
    shop.put("dict", {"k": ["a"], "x": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))}, age=3 * HOUR)
    shop.view("dict", [K], t.Map, push=True)
    push(shop, "dict", k=["b", "c"], x=[{"a": 5}, {"z": 6}])
    offline, online = shop.offline_and_online("dict", {"k": ["b", "c"]})
    assert [dict(row) for row in offline] == online == [{"a": 5}, {"z": 6}]


def test_a_pushed_time_keeps_its_fraction(shop: Shop) -> None:
    moment = datetime(2021, 1, 1, 0, 0, 0, 500_000, UTC)
    shop.put("fraction", {"k": ["a"], "x": times(HOUR)}, age=3 * HOUR)
    view = shop.view("fraction", [K], t.UnixTimestamp, push=True)
    push(shop, "fraction", k=["b"], x=[pd.Timestamp(moment)])
    assert shop.offline_and_online("fraction", {"k": ["b"]}) == ([moment], [moment])
    assert slim_lookup(shop, view, {"k": ["b"]}) == [moment]


def test_a_pushed_row_without_a_moment_is_nowhere(shop: Shop) -> None:
    shop.put("timeless", {"k": ["a"], "x": [1]}, age=3 * HOUR)
    view = shop.view("timeless", [K], t.Int64, push=True)
    push(shop, "timeless", k=["n"], x=[7], event_time=pd.NaT)
    assert shop.offline_and_online("timeless", {"k": ["n"]}) == ([None], [None])
    assert slim_lookup(shop, view, {"k": ["n"]}) == [None]


# Files.


def test_floats_of_one_file_round_no_integers_of_another(shop: Shop) -> None:
    shop.put("mixed", {"user_id": [LARGE], "x": [LARGE]}, "0.parquet")
    shop.put("mixed", {"user_id": [8.0], "x": [2.0]}, "1.parquet")
    shop.view("mixed", [U], t.Int64)
    shop.materialize("mixed")
    assert shop.offline_and_online("mixed", {"user_id": [LARGE, LARGE - 1, 8]}) == ([LARGE, None, 2],) * 2


@pytest.mark.parametrize(
    ("dtype", "given", "expected"),
    [
        (t.UnixTimestamp, pa.array([5]), MOMENT),
        (t.UnixTimestamp, pa.array([date(2020, 1, 1)]), datetime(2020, 1, 1, tzinfo=UTC)),
        (t.Array(t.UnixTimestamp), pa.array([[5]]), [MOMENT]),
        (t.Array(t.UnixTimestamp), pa.array([[MOMENT]], pa.list_(pa.timestamp("us", "UTC"))), [MOMENT]),
        (t.Bytes, pa.array(["x"]), b"x"),
        (t.Bool, pa.array([1.0]), True),
        (t.Array(t.Int64), pa.array([[1.0, 2.0]]), [1, 2]),
    ],
)
def test_values_of_other_types_are_converted_alike(shop: Shop, dtype: Any, given: pa.Array, expected: Any) -> None:
    name = f"as_{dtype}_{given.type}".lower().translate(dict.fromkeys(map(ord, "()<>:, []="), "_"))
    shop.put(name, {"k": ["a"], "x": given})
    view = shop.view(name, [K], dtype)
    shop.materialize(name)
    assert shop.offline_and_online(name, {"k": ["a"]}) == ([expected], [expected])
    assert [np.asarray(value).tolist() for value in slim_lookup(shop, view, {"k": ["a"]})] == [
        np.asarray(expected).tolist()
    ]


def test_a_missing_element_of_floats_is_nan(shop: Shop) -> None:
    shop.put("holes", {"k": ["a"], "x": pa.array([[1.0, None]], pa.list_(pa.float32()))})
    shop.view("holes", [K], t.Array(t.Float32))
    shop.materialize("holes")
    for values in shop.offline_and_online("holes", {"k": ["a"]}):
        assert values[0][0] == 1.0
        assert np.isnan(values[0][1])


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        (t.String, pa.array([NOW])),
        (t.Int64, pa.array([NOW])),
        (t.Int64, pa.array([1], pa.time32("s"))),
        (t.Array(t.Int64), pa.array([["15"]])),
        (t.Int64, pa.array(["15"])),
    ],
)
def test_what_has_no_conversion_stays_offline(shop: Shop, dtype: Any, given: pa.Array) -> None:
    name = f"stays_{dtype}_{given.type}".lower().translate(dict.fromkeys(map(ord, "()<>:, []="), "_"))
    shop.put(name, {"k": ["a"], "x": given})
    shop.view(name, [K], dtype)
    with pytest.raises(InputError, match=f"{name}:x"):
        shop.materialize(name)
    offline, online = shop.offline_and_online(name, {"k": ["a"]})
    assert (offline, online) == (given.to_pylist(), [None])


@pytest.mark.parametrize(
    ("dtype", "given", "key"),
    [
        (ValueType.UNIX_TIMESTAMP, pa.array([5]), MOMENT),
        (ValueType.UNIX_TIMESTAMP, pa.array(["1970-01-01T00:00:05Z"]), MOMENT),
        (ValueType.STRING, pa.array([Decimal("7.00")]), "7"),
        (ValueType.INT64, pa.array(["7"]).dictionary_encode(), 7),
        (ValueType.STRING, pa.array([uuid.UUID(int=7).bytes], pa.uuid()), str(uuid.UUID(int=7))),
    ],
)
def test_keys_are_compared_in_their_declared_type(shop: Shop, dtype: ValueType, given: pa.Array, key: Any) -> None:
    name = f"keys_{dtype.name}_{given.type}".lower().translate(dict.fromkeys(map(ord, "()<>:, []=-"), "_"))
    key_entity = entity(f"{name}_key", dtype)
    shop.put(name, {key_entity.join_key: given, "x": [1]})
    shop.view(name, [key_entity], t.Int64)
    shop.materialize(name)
    assert shop.offline_and_online(name, {key_entity.join_key: [key]}) == ([1], [1])
    job = shop.store.get_historical_features(None, [f"{name}:x"], start_date=NOW - 9 * HOUR, end_date=clock.now())
    assert job.to_arrow()[key_entity.join_key].to_pylist() == [key]


def test_a_table_without_rows(shop: Shop) -> None:
    empty = pd.Series([], dtype=object)
    shop.put("nobody", {"k": pa.array(empty), "x": pa.array(empty)})
    shop.view("nobody", [K], t.Int64)
    shop.materialize("nobody")
    assert shop.offline_and_online("nobody", {"k": ["a"]}) == ([None], [None])


@pytest.mark.parametrize("given", [[7.5], [float("nan"), 7.5]])
def test_fractions_in_the_files_of_a_text_key_are_refused(shop: Shop, given: list[float]) -> None:
    shop.put("fractions", {"k": given, "x": [1] * len(given)})
    shop.view("fractions", [K], t.Int64)
    with pytest.raises(InputError, match=r"'k' of type String; found 7\.5"):
        shop.materialize("fractions")
    with pytest.raises(InputError, match=r"'k' of type String; found 7\.5"):
        shop.offline_and_online("fractions", {"k": ["7.5"]})


# User-defined on-demand views and spines.


def test_own_functions_have_their_declared_types(shop: Shop) -> None:
    shop.put("known", {"k": ["a", "b"], "x": pa.array([1, None])})
    view = shop.view("known", [K], t.Int64)
    shop.materialize("known")

    @on_demand_feature_view(sources=[view], schema=[Field(name="y", dtype=t.Int64)], mode="pandas")
    def own(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"y": inputs["x"]})

    shop.store.apply([own, FeatureService(name="own_v1", features=[view, own])])
    spine = pd.DataFrame({"k": ["zz", "a"], "event_timestamp": [pd.Timestamp(clock.now())] * 2})
    job = shop.store.get_historical_features(spine, ["own:y"])
    assert job.to_arrow()["y"].to_pylist() == [None, 1]
    assert job.to_arrow().schema.field("y").type == pa.int64()
    assert {batch.schema.field("y").type for batch in job.batches(1)} == {pa.int64()}
    assert shop.store.get_online_features(["own:y"], {"k": ["zz", "a"]}).to_dict()["y"] == [None, 1]
    assert "own_v1" not in compile_manifest(shop.store, shop.home)  # Feast serves it
    shop.store.delete_feature_service("own_v1")
    shop.store.delete_feature_view("own")


def test_spines_that_are_no_table_are_refused(shop: Shop) -> None:
    shop.put("asked", {"k": ["a"], "x": [1]})
    shop.view("asked", [K], t.Int64)
    moment = pd.Timestamp(clock.now())
    spine = pd.DataFrame({"k": ["a"], "event_timestamp": [moment]})
    repeated = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array(["a"]), pa.array([moment])], ["k", "k", "event_timestamp"]
    )
    for invalid_spine in (repeated, pd.concat([spine, spine[["k"]]], axis=1), spine.assign(c=[1j])):
        with pytest.raises(InputError, match="spine"):
            shop.store.get_historical_features(invalid_spine, ["asked:x"]).to_arrow()


def test_a_number_that_does_not_fit_is_refused_offline_and_online(shop: Shop) -> None:
    for name, dtype, value in (("halves", t.Int64, 2.5), ("halfs", t.Bool, 0.5), ("wide", t.Int32, 2**40)):
        shop.put(name, {"k": ["a"], "x": [value]})
        shop.view(name, [K], dtype)
        with pytest.raises((InputError, StoreError)):
            shop.materialize(name)
        with pytest.raises((InputError, StoreError)):
            shop.offline_and_online(name, {"k": ["a"]})


def test_times_beside_a_function_are_whole_seconds(shop: Shop) -> None:
    """Feast passes protobuf values to on-demand functions, and their times are whole seconds."""
    moment = NOW.replace(microsecond=123_456)
    shop.put("moments", {"k": ["a"], "x": pa.array([moment], pa.timestamp("us", "UTC"))})
    view = shop.view("moments", [K], t.UnixTimestamp)
    shop.materialize("moments")

    @on_demand_feature_view(sources=[view], schema=[Field(name="y", dtype=t.Int64)], mode="pandas")
    def year(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"y": pd.to_datetime(inputs["x"], utc=True).dt.year.fillna(0).astype("int64")})

    shop.store.apply([year])
    assert shop.offline_and_online("moments", {"k": ["a"]}) == ([moment], [moment])
    values = shop.store.get_online_features(["moments:x", "year:y"], {"k": ["a"]}).to_dict()
    assert values["x"][0].replace(microsecond=0) == moment.replace(microsecond=0)
    assert moment - values["x"][0] < timedelta(seconds=1)
    shop.store.delete_feature_view("year")


def test_sets_and_lists_of_lists_are_as_feast_has_them(shop: Shop) -> None:
    """Feast returns sets for lists, and null for an empty list within a list."""
    shop.put("set", {"k": ["a"], "x": [[3, 1, 3]]})
    shop.view("set", [K], t.Set(t.Int64))
    shop.put("nested", {"k": ["a"], "x": [[[1], []]]})
    shop.view("nested", [K], t.Array(t.Array(t.Int64)))
    shop.materialize("set", "nested")
    assert shop.offline_and_online("set", {"k": ["a"]}) == ([[3, 1, 3]], [{1, 3}])
    assert shop.offline_and_online("nested", {"k": ["a"]}) == ([[[1], []]], [[[1], None]])


def test_times_within_a_struct_are_whole_seconds(shop: Shop) -> None:
    """Feast's protobuf values have whole seconds."""
    moment = datetime(2026, 1, 1, 0, 0, 0, 500_000, UTC)
    rows = pa.array([{"at": moment}], pa.struct([("at", pa.timestamp("us", "UTC"))]))
    shop.put("inner", {"k": ["a"], "x": rows})
    shop.view("inner", [K], t.Struct({"at": t.UnixTimestamp}))
    shop.materialize("inner")
    assert shop.offline_and_online("inner", {"k": ["a"]}) == ([{"at": moment}], [{"at": moment.replace(microsecond=0)}])
