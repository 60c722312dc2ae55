"""Feast's API on the packed online store: values round-trip, and the store keeps Feast's contract."""

import asyncio
import decimal
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureService, FeatureStore, FeatureView, Field, PushSource
from feast import types as t
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.stores import redis_server
from feature_repo.stores.online_response import PackedResponse
from tests.feature_repo.online.stores import AS_OF_STORE, NOW, TRACK, USER, online, open_store, plays, times, view

VALUES: dict[str, tuple[Any, list[Any]]] = {
    "int32": (t.Int32, [7, -(2**31), None]),
    "int64": (t.Int64, [2**62, -(2**63), None]),
    "float32": (t.Float32, [0.1, float("nan"), None]),
    "float64": (t.Float64, [0.1, float("-inf"), None]),
    "bool": (t.Bool, [True, False, None]),
    "string": (t.String, ["", "é" * 3000, None]),
    "bytes": (t.Bytes, [b"\x00\xff", b"x", None]),
    "pdf": (t.PdfBytes, [b"%PDF", b"x", None]),
    "image": (t.ImageBytes, [b"\x89PNG", b"x", None]),
    "when": (t.UnixTimestamp, [NOW, datetime(1955, 1, 1, tzinfo=UTC), None]),
    "json": (t.Json, ['{"a": [1, null]}', '"text"', None]),
    "uuid": (t.Uuid, [str(uuid.UUID(int=5)), str(uuid.UUID(int=2**127)), None]),
    "time_uuid": (t.TimeUuid, [str(uuid.uuid1()), str(uuid.uuid1()), None]),
    "decimal": (t.Decimal, [decimal.Decimal("1.10"), decimal.Decimal("-3e40"), None]),
    "map": (t.Map, [{"a": "b"}, {"c": "d"}, None]),
    "int64s": (t.Array(t.Int64), [[1, -(2**63)], [2**62], None]),
    "int32s": (t.Array(t.Int32), [[1, 2], [3], None]),
    "float32s": (t.Array(t.Float32), [[0.5, 1.5], [2.0], None]),
    "float64s": (t.Array(t.Float64), [[0.1], [0.2, 0.3], None]),
    "bools": (t.Array(t.Bool), [[True, False], [False], None]),
    "strings": (t.Array(t.String), [["a", "", "é"], ["b"], None]),
    "bytess": (t.Array(t.Bytes), [[b"", b"\xff"], [b"x"], None]),
    "whens": (t.Array(t.UnixTimestamp), [[NOW, NOW], [NOW], None]),
    "uuids": (t.Array(t.Uuid), [[str(uuid.UUID(int=1))], [str(uuid.UUID(int=2))], None]),
    "decimals": (t.Array(t.Decimal), [[decimal.Decimal("0.1")], [decimal.Decimal(2)], None]),
    "strings_set": (t.Set(t.String), [{"a", "b"}, {"c"}, None]),
    "int64s_set": (t.Set(t.Int64), [{1, 2}, {3}, None]),
    "nested": (t.Array(t.Array(t.Int64)), [[[1, 2], [3]], [[4]], None]),
    "struct": (t.Struct({"a": t.String, "b": t.Int64}), [{"a": "x", "b": 1}, {"a": "y", "b": 2}, None]),
}


def plain(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if np.isnan(value) else float(np.float32(value))
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    return value


@pytest.mark.parametrize("name", VALUES)
def test_every_type_comes_back_as_it_does_from_feasts_own_store(home: Home, name: str) -> None:
    """Values are written with ``write_to_online_store`` to Refrain's store and to Feast's SQLite store."""
    dtype, values = VALUES[name]
    frame = pd.DataFrame({"user_id": ["a", "b", "c"], "event_timestamp": [NOW] * 3, "created_timestamp": [NOW] * 3})
    frame["x"] = pd.Series(values, dtype=object)
    responses = []
    for project in ("ours", "theirs"):
        online_config = {} if project == "ours" else {"type": "sqlite", "path": str(home.root / "online.db")}
        store = open_store(home, project=project, **online_config)
        seed = pa.table({"user_id": ["a"], "x": pa.nulls(1), **times(1)})
        store.apply([USER, view(home, f"v_{project}", seed, {"x": dtype})])
        store.write_to_online_store(f"v_{project}", df=frame)
        response = store.get_online_features([f"v_{project}:x"], [{"user_id": key} for key in ("a", "b", "c", "z")])
        responses.append(response)
    packed, sqlite = responses
    assert isinstance(packed, PackedResponse)
    if name == "map":  # Feast gives each row the keys of all rows
        assert [
            row and {key: value for key, value in row.items() if value} for row in sqlite.to_dict()["x"]
        ] == packed.to_dict()["x"]
        return
    assert plain(packed.to_dict()["x"]) == plain(sqlite.to_dict()["x"])
    assert packed.to_dict()["x"][2:] == [None, None]
    packed_values, sqlite_values = (response.proto.results[1].values for response in responses)
    if "nan" not in plain(packed.to_dict()["x"]) and not name.endswith("_set") and not name.startswith("decimal"):
        # the third is null: Feast writes a missing time as a number
        assert list(packed_values)[:2] == list(sqlite_values)[:2]
    assert packed_values[2].WhichOneof("val") is None
    assert list(packed.proto.results[1].event_timestamps) == list(sqlite.proto.results[1].event_timestamps)


def test_arrow_types_of_the_offline_store_come_online(home: Home) -> None:
    """``materialize`` writes Arrow values, not Python values."""
    columns = {
        "text": (t.String, pa.array(["x", None], pa.large_string())),
        "when": (t.UnixTimestamp, pa.array([NOW, None], pa.timestamp("ms", "Europe/Stockholm"))),
        "list": (t.Array(t.String), pa.array([["a"], []], pa.large_list(pa.string()))),
        "map": (t.Map, pa.array([[("a", "b")], None], pa.map_(pa.string(), pa.string()))),
        "small": (t.Int32, pa.array([5, None], pa.int16())),
        "nested": (t.Array(t.Array(t.Int64)), pa.array([[[1], [2, 3]], None])),
    }
    table = pa.table({"user_id": ["a", "b"], **{name: values for name, (_, values) in columns.items()}, **times(2)})
    store = open_store(home)
    store.apply([USER, view(home, "v", table, {name: dtype for name, (dtype, _) in columns.items()})])
    store.materialize(NOW - timedelta(days=1), NOW)
    response = store.get_online_features([f"v:{name}" for name in columns], {"user_id": ["a", "b"]}).to_dict()
    assert response == {
        "user_id": ["a", "b"],
        "text": ["x", None],
        "when": [NOW, None],
        "list": [["a"], []],
        "map": [{"a": "b"}, None],
        "small": [5, None],
        "nested": [[[1], [2, 3]], None],
    }


def test_the_answer_has_statuses_times_and_a_stable_order(home: Home) -> None:
    table = pa.table({"user_id": ["a"], "z": [1], "y": pa.array([None], pa.int64()), "m": [2], **times(1)})
    store = open_store(home)
    store.apply([USER, view(home, "v", table, {"z": t.Int64, "y": t.Int64, "m": t.Int64})])
    store.materialize(NOW - timedelta(days=1), NOW)
    response = store.get_online_features(["v:z", "v:m", "v:y"], {"user_id": ["a", "nobody", None, "a"]})
    assert list(response.to_dict(include_event_timestamps=True)) == [
        *("user_id", "user_id__ts", "z", "z__ts", "m", "m__ts", "y", "y__ts")
    ]
    assert list(response.proto.metadata.feature_names.val) == ["user_id", "z", "m", "y"]
    missing = [FieldStatus.NOT_FOUND, FieldStatus.NOT_FOUND]
    assert list(response.proto.results[1].statuses) == [FieldStatus.PRESENT, *missing, FieldStatus.PRESENT]
    assert list(response.proto.results[3].statuses) == [FieldStatus.NULL_VALUE, *missing, FieldStatus.NULL_VALUE]
    assert response.to_dict(include_event_timestamps=True)["z__ts"] == [
        int(NOW.timestamp()),
        0,
        0,
        int(NOW.timestamp()),
    ]
    assert response.to_df()["z"].tolist()[0] == 1
    assert response.to_arrow().column("m").to_pylist() == [2, None, None, 2]


def test_an_older_row_never_replaces_a_newer_one(store: FeatureStore, home: Home) -> None:
    def push(n: int, event: datetime, created: datetime) -> None:
        frame = pd.DataFrame({"user_id": ["a"], "n": [n], "event_timestamp": [event], "created_timestamp": [created]})
        store.write_to_online_store("plays", df=frame)

    later = NOW + timedelta(hours=1)
    push(10, later, later)
    store.materialize(NOW - timedelta(days=1), NOW)
    assert online(store, ["a", "b"]) == [10, 2]
    push(11, later, later + timedelta(seconds=1))  # a correction of the same event
    push(12, later, later - timedelta(seconds=1))
    assert online(store, ["a"]) == [11]
    pq.write_table(plays([("a", 20, later + timedelta(hours=1)), ("b", 21, NOW)]), home.root / "plays.parquet")
    store.materialize(NOW - timedelta(days=1), later + timedelta(hours=1))
    assert online(store, ["a", "b", "c"]) == [20, 21, 3]


def test_rows_older_than_the_ttl_are_not_served(home: Home) -> None:
    now = datetime.now(UTC)
    table = plays([("old", 1, now - timedelta(days=3)), ("young", 2, now - timedelta(hours=1))])
    for expire in (False, True):
        store = open_store(home, project=f"p{expire}".lower(), expire=expire)
        store.apply([USER, view(home, "plays", table, {"n": t.Int64}, ttl=timedelta(days=2))])
        store.materialize(now - timedelta(days=9), now)
        assert online(store, ["old", "young", "nobody"]) == [None, 2, None]
        statuses = store.get_online_features(["plays:n"], {"user_id": ["old", "young"]}).proto.results[1].statuses
        expired_status = FieldStatus.NOT_FOUND if expire else FieldStatus.OUTSIDE_MAX_AGE
        assert list(statuses) == [expired_status, FieldStatus.PRESENT]
        remaining_ttl = redis_server.ensure(home).pttl(entity_key.prefix(store.project, "plays") + b"young}")
        assert remaining_ttl == -1 if not expire else 46 * 3.6e6 < remaining_ttl < 48 * 3.6e6


def test_composite_keys_aliases_and_views_without_keys(home: Home) -> None:
    pair_table = pa.table({"track_number": [1, 11, 1], "user_id": ["11", "1", "é"], "n": [1, 2, 3], **times(3)})
    keyless_table = pa.table({"n": [9], **times(1)})
    user_table = plays([("a", 1, NOW), ("b", 2, NOW)])
    store = open_store(home)
    user_view = view(home, "plays", user_table, {"n": t.Int64})
    pair_view = view(home, "both", pair_table, {"n": t.Int64}, entities=(USER, TRACK))
    keyless_view = view(home, "none", keyless_table, {"n": t.Int64}, entities=())
    friend_view = user_view.with_name("friend").with_join_key_map({"user_id": "friend_id"})
    own_view = user_view.with_name("me")
    store.apply(
        [
            USER,
            TRACK,
            user_view,
            pair_view,
            keyless_view,
            FeatureService(name="s", features=[own_view, friend_view, pair_view, keyless_view]),
        ]
    )
    store.materialize(NOW - timedelta(days=1), NOW)
    rows = {"user_id": ["11", "1", "é", "a"], "track_number": [1, 11, 1, 1], "friend_id": ["b", None, "a", "x"]}
    by_columns = store.get_online_features(store.get_feature_service("s"), rows, full_feature_names=True).to_dict()
    assert by_columns == {
        **rows,
        "me__n": [None, None, None, 1],
        "friend__n": [2, None, 1, None],
        "both__n": [1, 2, 3, None],
        "none__n": [9] * 4,
    }
    entity_rows = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    by_rows = store.get_online_features(store.get_feature_service("s"), entity_rows, full_feature_names=True).to_dict()
    assert by_rows == by_columns
    with pytest.raises(InputError, match="the join key 'track_number' of the view both"):
        store.get_online_features(["both:n"], {"user_id": ["a"]})
    with pytest.raises(ValueError, match="same keys"):
        store.get_online_features(["plays:n"], [{"user_id": "a"}, {"friend_id": "a"}])


@pytest.mark.parametrize("offline", [AS_OF_STORE, "duckdb"])
def test_field_mappings_and_rows_without_keys_or_times(home: Home, offline: str) -> None:
    table = pa.table(
        {
            "uid": ["a", None, "b"],
            "count": [1, 2, 3],
            "event_timestamp": pa.array([NOW, NOW, None], pa.timestamp("us", "UTC")),
            "created_timestamp": pa.array([NOW] * 3, pa.timestamp("us", "UTC")),
        }
    )
    store = open_store(home, offline=offline)
    store.apply([USER, view(home, "plays", table, {"n": t.Int64}, mapping={"uid": "user_id", "count": "n"})])
    store.materialize(NOW - timedelta(days=1), NOW)
    assert online(store, ["a", "b"]) == [1, None]


def test_a_changed_view_is_served_in_its_old_form_until_it_is_materialized(store: FeatureStore, home: Home) -> None:
    changed_table = pa.table({"user_id": ["a"], "n": pa.array([5.5]), "more": ["x"], **times(1)})
    store.apply([view(home, "plays", changed_table, {"more": t.String, "n": t.Int64})])
    features = ["plays:n", "plays:more"]
    response = store.get_online_features(features, {"user_id": ["a", "b"]}).to_dict()
    assert (response["n"], response["more"]) == ([1, 2], [None, None])
    store.apply([view(home, "plays", changed_table, {"more": t.String, "n": t.Float64})])
    store.materialize(NOW - timedelta(days=1), NOW)
    response = store.get_online_features(features, {"user_id": ["a", "b"]}).to_dict()
    assert (response["n"], response["more"]) == ([5.5, None], ["x", None])  # b's whole number does not fit without loss
    redis_server.ensure(home).delete(entity_key.schemas("music", "plays"))
    new_store = open_store(home)
    with pytest.raises(StoreError, match="unknown schema.*next: refrain materialize"):
        online(new_store, ["b"])


def test_on_demand_views_are_computed_on_packed_values(store: FeatureStore, home: Home) -> None:
    def twice(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"doubled": [None if n is None else 2 * n for n in inputs["n"]]}

    double = OnDemandFeatureView(
        name="double",
        sources=[store.get_feature_view("plays")],
        schema=[Field(name="doubled", dtype=t.Int64)],
        udf=twice,
        udf_string="def twice(inputs):\n    return {'doubled': [None if n is None else 2 * n for n in inputs['n']]}\n",
        mode="python",
    )
    store.apply([double])
    response = store.get_online_features(["double:doubled", "plays:n"], {"user_id": ["a", "b"]}).to_dict()
    assert (response["doubled"], response["n"]) == ([2, 4], [1, 2])


def test_async_reads_and_writes_are_the_same(store: FeatureStore) -> None:
    async def read_and_write() -> tuple[list[Any], list[Any]]:
        frame = pd.DataFrame({"user_id": ["d"], "n": [4], "event_timestamp": [NOW], "created_timestamp": [NOW]})
        await store.write_to_online_store_async("plays", df=frame)
        first = await store.get_online_features_async(["plays:n"], {"user_id": ["a", "d", "z"]})
        feature_view = store.get_feature_view("plays")
        online_stores = [store._get_provider().online_store]
        second = await store.get_online_features_async(["plays:n"], {"user_id": ["a"]})
        assert feature_view.name == "plays"
        await online_stores[0].close()
        return first.to_dict()["n"], second.to_dict()["n"]

    assert asyncio.run(read_and_write()) == ([1, 4, None], [1])
    assert asyncio.run(read_and_write()) == ([1, 4, None], [1])  # another event loop


def test_a_deleted_view_and_a_torn_down_project_leave_the_others_alone(store: FeatureStore, home: Home) -> None:
    other_store = open_store(home, project="dev_music")
    table = plays([("a", 100, NOW)])
    other_store.apply([USER, view(home, "plays2", table, {"n": t.Int64}), view(home, "plays", table, {"n": t.Int64})])
    other_store.materialize(NOW - timedelta(days=1), NOW)
    client = redis_server.ensure(home)
    other_store.apply([], objects_to_delete=[other_store.get_feature_view("plays2")], partial=False)
    redis_keys = {bytes(redis_key) for redis_key in client.keys("*")}
    assert not any(redis_key.startswith(b"dev_music:plays2:") for redis_key in redis_keys)
    assert online(other_store, ["a"]) == [100]
    store.teardown()
    redis_keys = {bytes(redis_key) for redis_key in client.keys("*")}
    assert redis_keys
    assert all(redis_key.startswith(b"dev_music:") for redis_key in redis_keys)
    assert online(other_store, ["a"]) == [100]
    assert redis_server.running(home)


def test_push_reaches_both_stores(home: Home) -> None:
    store = open_store(home)
    batch = view(home, "batch", plays([("a", 1, NOW)]), {"n": t.Int64}).batch_source
    source = PushSource(name="pushed", batch_source=batch)
    live = FeatureView(
        name="plays", entities=[USER], schema=[Field(name="n", dtype=t.Int64)], source=source, ttl=timedelta(0)
    )
    store.apply([USER, live])
    frame = pd.DataFrame({"user_id": ["b"], "n": [7], "event_timestamp": [NOW], "created_timestamp": [NOW]})
    store.push("pushed", frame)
    assert online(store, ["a", "b"]) == [None, 7]
    store.materialize(NOW - timedelta(days=1), NOW)
    assert online(store, ["a", "b"]) == [1, 7]
