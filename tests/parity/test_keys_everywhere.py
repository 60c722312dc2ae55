"""A key finds the same row in any type and on any path: training SDK = slim lookup = Feast offline and online."""

import asyncio
import contextlib
import inspect
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    RepoConfig,
    ValueType,
)
from feast import types as t
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.compile_manifest import compile_manifest
from feature_repo.errors import InputError, RefrainError
from feature_repo.home import Home
from feature_repo.keys import key_value
from feature_repo.manifest import load_service
from feature_repo.packed.erase import erase_entity
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from feature_repo.stores import redis_server
from feature_repo.stores.protobuf import key_types
from inference.features import OnlineFeatures
from tests.music import CONTRACT
from training.datasets.spine import SpineTable

DAY, NOON = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 2, 12, tzinfo=UTC)
KEYS: dict[str, tuple[ValueType, pa.DataType, list[Any]]] = {
    "word": (ValueType.STRING, pa.string(), ["7", "007", "", "é", "true", "u 1", "-3", "9007199254740993"]),
    "number": (ValueType.INT64, pa.int64(), [7, 0, -3, 2**63 - 1, -(2**63), 2**53]),
    "small": (ValueType.INT32, pa.int32(), [7, 0, -3, 2**31 - 1]),
    "raw": (ValueType.BYTES, pa.binary(), [b"7", b"", b"\x00\xff", "é".encode()]),
    "moment": (ValueType.UNIX_TIMESTAMP, pa.timestamp("us", "UTC"), [DAY, NOON, datetime(1960, 1, 1, tzinfo=UTC)]),
    "flag": (ValueType.BOOL, pa.bool_(), [True, False]),
}
ENTITIES = {key: Entity(name=key, join_keys=[key], value_type=kind) for key, (kind, _, _) in KEYS.items()}
PAIRS = [("7", 7), ("", 0), ("1:7", 7), ("1", 77)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = Home(tmp_path_factory.mktemp("keys")).ensure()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(folder.root))
        yield folder
    redis_server.stop(folder)


@pytest.fixture(scope="module")
def store(home: Home) -> FeatureStore:
    """A Feast store with one view for each key type and one view of two keys, all materialized."""
    feature_store = FeatureStore(
        config=RepoConfig(
            project=home.project,
            provider="local",
            registry=str(home.root / "keys.db"),
            offline_store={"type": "feature_repo.stores.offline.AsOfOfflineStore"},
            online_store={"type": "feature_repo.stores.online.PackedRedisOnlineStore"},
            batch_engine={"type": "feature_repo.stores.engine.PackedComputeEngine"},
            entity_key_serialization_version=3,
        )
    )
    views = {key: _view(home, f"by_{key}", {key: pa.array(rows, kind)}) for key, (_, kind, rows) in KEYS.items()}
    words, numbers = zip(*PAIRS, strict=True)
    # the files have a narrower type than the entity
    pair_keys = {"word": pa.array(words), "number": pa.array(numbers, pa.int32())}
    views["pair"] = _view(home, "by_pair", pair_keys)
    doubled = OnDemandFeatureView(
        name="doubled",
        sources=[views["word"]],
        schema=[Field(name="twice", dtype=t.Int64)],
        udf=twice,
        udf_string=inspect.getsource(twice),
        mode="python",
    )
    services = [FeatureService(name=f"{key}_v1", features=[view]) for key, view in views.items()]
    feature_store.apply([*ENTITIES.values(), *views.values(), doubled, *services])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        feature_store.materialize(DAY - timedelta(days=1), NOON, feature_views=[view.name for view in views.values()])
    compile_manifest(feature_store, home)
    return feature_store


def twice(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"twice": [None if n is None else 2 * n for n in inputs["place"]]}


def _view(home: Home, name: str, keys: dict[str, pa.Array]) -> FeatureView:
    rows = len(next(iter(keys.values())))
    times = pa.array([DAY] * rows, pa.timestamp("us", "UTC"))
    table = {**keys, "place": np.arange(rows) + 100, "event_timestamp": times, "created_timestamp": times}
    folder = home.root / name
    folder.mkdir()
    pq.write_table(pa.table(table), folder / "rows.parquet")
    files = FileSource(
        name=f"{name}_files",
        path=str(folder),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    return FeatureView(
        name=name,
        entities=[ENTITIES[key] for key in keys],
        schema=[Field(name="place", dtype=t.Int64)],
        source=PushSource(name=f"{name}_push", batch_source=files),
        ttl=timedelta(0),
    )


def expected_place(key: str, value: Any) -> int | None:
    """The oracle: returns the place of the row whose key equals the converted value."""
    kind, _, rows = KEYS[key]
    converted = key_value(value, str(t.from_value_type(kind)), key)
    return None if converted is None or converted not in rows else 100 + rows.index(converted)


def value_or_error(call: Any) -> Any:
    try:
        return call()
    except InputError:
        return InputError


def online_async(store: FeatureStore, features: list[str], request: dict[str, Any]) -> dict[str, Any]:
    """Reads with Feast's asynchronous API, and closes its connection."""

    async def get_online_features() -> dict[str, Any]:
        try:
            return (await store.get_online_features_async(features, request)).to_dict()
        finally:
            await store._get_provider().online_store.close()

    return asyncio.run(get_online_features())


def training_values(home: Home, store: FeatureStore, name: str, keys: Any) -> list[int | None]:
    service = load_service(home, f"{name}_v1")
    spine = SpineTable.of(keys, service.key_types, [f"by_{name}__place"], CONTRACT.request_fields)
    job = store.get_historical_features(entity_df=spine.for_store(), features=[f"by_{name}:place"])
    return job.to_arrow()["place"].to_pylist()


def values_by_path(home: Home, store: FeatureStore, key: str, value: Any) -> dict[str, Any]:
    """Returns, for each read path, the places that the value finds, or the error."""
    feature, request = f"by_{key}:place", {key: [value, value]}
    times = {"event_timestamp": [NOON] * 2}
    objects = np.empty(2, object)
    objects[:] = [value, value]
    calls = {
        "slim": lambda: OnlineFeatures(f"{key}_v1", home).get(request).values[f"by_{key}__place"],
        "feast": lambda: store.get_online_features([feature], request).to_dict()["place"],
        "feast rows": lambda: store.get_online_features([feature], [{key: value}] * 2).to_dict()["place"],
        "feast protobuf": lambda: [
            None if protobuf.WhichOneof("val") is None else protobuf.int64_val
            for protobuf in store.get_online_features([feature], request).proto.results[1].values
        ],
        "feast async": lambda: online_async(store, [feature], request)["place"],
        "sdk": lambda: training_values(home, store, key, {**request, **times}),
        "sdk pandas": lambda: training_values(home, store, key, pd.DataFrame({key: pd.Series(objects), **times})),
    }
    return {path: value_or_error(call) for path, call in calls.items()}


VALUES: dict[str, Any] = {
    "text": st.sampled_from(["7", "007", "", "é", "true", "x", "-3", "9007199254740993", "2026-04-01", "03/04/2026"]),
    "number": st.sampled_from([7, 0, -3, 2**63 - 1, 2**63, -(2**63), 2**53, 2**31 - 1, 2**31, 8, int(DAY.timestamp())]),
    "numpy": st.sampled_from([np.int64(7), np.uint8(7), np.float32(7), np.str_("7"), np.bytes_(b"7"), np.bool_(True)]),
    "float": st.sampled_from([7.0, 7.5, -0.0, float("inf"), 2.0**53, 2.0**62, Decimal("7.0"), Decimal("7.5")]),
    "bytes": st.sampled_from([b"7", b"", b"\x00\xff", bytearray(b"7"), "é".encode()]),
    "time": st.sampled_from(
        [DAY, NOON.replace(tzinfo=None), pd.Timestamp(NOON), date(2026, 4, 1), DAY.replace(microsecond=1)]
    ),
    "flag": st.booleans(),
    "missing": st.sampled_from([None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), pa.scalar(None, pa.string())]),
    "arrow": st.sampled_from([pa.scalar("7"), pa.scalar(7), pa.scalar(7.0), pa.scalar(b"7"), pa.scalar(True)]),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(KEYS)), st.one_of(*VALUES.values()))
def test_a_key_finds_the_same_row_everywhere(home: Home, store: FeatureStore, key: str, value: Any) -> None:
    expected = value_or_error(lambda: [expected_place(key, value)] * 2)
    by_path = values_by_path(home, store, key, value)
    assert by_path == dict.fromkeys(by_path, expected)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["7", 7, 7.0, "", None, pd.NA, "1:7", "1"]),
            st.sampled_from([7, "7", 7.0, 77, 0, None, float("nan")]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_pair_of_keys_finds_the_same_row_everywhere(
    home: Home, store: FeatureStore, rows: list[tuple[Any, Any]]
) -> None:
    pairs = [(key_value(word, "String"), key_value(number, "Int64")) for word, number in rows]
    expected = [100 + PAIRS.index(pair) if pair in PAIRS else None for pair in pairs]  # type: ignore[arg-type]
    words, numbers = map(list, zip(*rows, strict=True))
    request = {"word": words, "number": numbers}
    assert OnlineFeatures("pair_v1", home).get(request).values["by_pair__place"] == expected
    assert store.get_online_features(["by_pair:place"], request).to_dict()["place"] == expected
    assert training_values(home, store, "pair", {**request, "event_timestamp": [NOON] * len(rows)}) == expected


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([7.0, None, 8]),
        pd.Series([7, None, 8], dtype="Int64"),
        pd.Series(["7", None, "8"], dtype="string"),
        pd.Series(["7", None, "8"], dtype="category"),
        pd.Series([7, None, "8"], dtype=object),
        pl.Series([7, None, 8]),
        pl.Series([7.0, float("nan"), 8.0]),
        pl.Series(["7", None, "8"], dtype=pl.Categorical),
        pa.array([7, None, 8], pa.int16()),
        pa.array(["7", None, "8"]).dictionary_encode(),
    ],
    ids=lambda column: f"{type(column).__module__.partition('.')[0]} {getattr(column, 'dtype', '') or column.type}",
)
@pytest.mark.parametrize("key", ["word", "number", "small"])
def test_a_column_with_gaps_finds_the_same_rows_everywhere(
    home: Home, store: FeatureStore, key: str, column: Any
) -> None:
    expected = [expected_place(key, 7), None, None]
    assert OnlineFeatures(f"{key}_v1", home).get({key: column}).values[f"by_{key}__place"] == expected
    times = [NOON] * 3
    if isinstance(column, pd.Series):
        spine: Any = pd.DataFrame({key: column, "event_timestamp": times})
    elif isinstance(column, pl.Series):
        spine = pl.DataFrame({key: column, "event_timestamp": times})
    else:
        spine = pa.table({key: column, "event_timestamp": pa.array(times, pa.timestamp("us", "UTC"))})
    assert training_values(home, store, key, spine) == expected
    if not (isinstance(column, pd.Series) and column.dtype == object):  # Arrow cannot convert this column; the SDK can
        from_feast = store.get_historical_features(entity_df=spine, features=[f"by_{key}:place"]).to_arrow()
        assert from_feast["place"].to_pylist() == expected


def test_a_text_alone_is_one_key(home: Home, store: FeatureStore) -> None:
    for key, expected in (("007", [101]), ("", [102])):
        assert OnlineFeatures("word_v1", home).get({"word": key}).values["by_word__place"] == expected  # type: ignore[dict-item]
        assert store.get_online_features(["by_word:place"], {"word": key}).to_dict()["place"] == expected


def test_feasts_protobufs_are_converted_too(home: Home, store: FeatureStore) -> None:
    view = store.get_feature_view("by_word")
    values = [Value(string_val="7"), Value(int64_val=7), Value(), Value(double_val=7.0), Value(double_val=float("nan"))]
    values += [Value(null_val=0)]
    expected = [100, 100, None, 100, None, None]
    assert store.get_online_features(["by_word:place"], {"word": values}).to_dict()["place"] == expected
    keys = [EntityKey(join_keys=["word"], entity_values=[value]) for value in values]
    provider = store._get_provider()
    rows = provider.online_read(store.config, view, keys, ["place"])
    assert [None if row_values is None else row_values["place"].int64_val for _, row_values in rows] == expected
    with pytest.raises(InputError, match="join key 'word'"):
        provider.online_read(store.config, view, [EntityKey(join_keys=["word"], entity_values=[Value(double_val=0.5)])])


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT, 7, 7.0, np.int64(7), "7"])
def test_keys_of_on_demand_views_are_converted_too(home: Home, store: FeatureStore, value: Any) -> None:
    expected = None if key_value(value, "String") is None else 200
    for response in (
        store.get_online_features(["doubled:twice"], {"word": [value, "7"]}).to_dict(),
        online_async(store, ["doubled:twice"], {"word": [value, "7"]}),
    ):
        assert response["twice"] == [expected, 200]


def test_a_push_is_found_by_the_same_keys_and_without_a_key_left_out(home: Home, store: FeatureStore) -> None:
    moment = DAY + timedelta(microseconds=1, hours=1)
    rows = {"place": [1, 2], "event_timestamp": [moment] * 2, "created_timestamp": [moment] * 2}
    store.push("by_word_push", pd.DataFrame({"word": ["pushed", None], **rows}))
    store.push("by_number_push", pd.DataFrame({"number": pd.array([70, 71], "int32"), **rows}))
    assert OnlineFeatures("word_v1", home).get({"word": ["pushed", None, "None", "nan", ""]}).values[
        "by_word__place"
    ] == [1, None, None, None, 102]
    assert OnlineFeatures("number_v1", home).get({"number": [70, "71", 72.0]}).values["by_number__place"] == [
        1,
        2,
        None,
    ]


def test_forgetting_finds_the_key_that_was_written(home: Home, store: FeatureStore) -> None:
    server = open_server(home, store.config.online_store.address(), WRITE_TIMEOUT)
    views = {view.name: key_types(view) for view in store.list_batch_feature_views()}
    forget = lambda key, value: erase_entity(server, home.project, views, key, value)  # noqa: E731
    moment = DAY + timedelta(hours=2)
    rows = {"place": [5], "event_timestamp": [moment], "created_timestamp": [moment]}
    store.push("by_small_push", pd.DataFrame({"small": pd.array([500], "int32"), **rows}))
    store.push("by_pair_push", pd.DataFrame({"word": ["gone"], "number": [600], **rows}))
    assert forget("small", pd.NA) == 0
    assert forget("small", "0500") == 1
    assert forget("number", "00600") == 1
    with pytest.raises(InputError, match="join key 'small'"):
        forget("small", "x")


def test_a_time_of_a_push_is_cut_off_to_microseconds(home: Home, store: FeatureStore) -> None:
    event_time = pd.Timestamp("2026-04-01T10:00:00.123456999Z")
    frame = pd.DataFrame(
        {"word": ["sharp"], "place": [1], "event_timestamp": [event_time], "created_timestamp": [event_time]}
    )
    store.push("by_word_push", frame)
    times = OnlineFeatures("word_v1", home).get({"word": ["sharp"]}).event_times["by_word"]
    assert times.tolist() == [datetime(2026, 4, 1, 10, 0, 0, 123_456, tzinfo=UTC).timestamp()]


def test_a_materialize_of_keys_that_cannot_be_is_refused(home: Home, store: FeatureStore, tmp_path: Any) -> None:
    path = home.root / "by_number" / "more.parquet"
    times = pa.array([DAY], pa.timestamp("us", "UTC"))
    pq.write_table(
        pa.table({"number": [7.5], "place": [1], "event_timestamp": times, "created_timestamp": times}), path
    )
    try:
        with (
            pytest.raises(RefrainError),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            store.materialize(DAY - timedelta(days=1), NOON, feature_views=["by_number"])
    finally:
        path.unlink()
