"""Views over user-defined Parquet files: a training set and the online store have the same values for any file."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureService, ValueType
from feast import types as t
from feast.data_source import PushMode

from feature_repo import clock
from feature_repo.compile_manifest import LeftToFeast, compile_manifest, resolve_service
from feature_repo.doctor import values
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.materialize import forget
from feature_repo.stores import redis_server
from inference.features import OnlineFeatures
from tests.music import CONTRACT
from tests.parity.own_views import HOUR, NOW, Shop, entity, times

K, U, AT = entity("k"), entity("user_id", ValueType.INT64), entity("at", ValueType.UNIX_TIMESTAMP)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = Home(tmp_path_factory.mktemp("own") / "data [1]").ensure()  # a path with characters of glob patterns
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(home.root))
        patch.delenv(clock.NOW, raising=False)
        yield Shop(home)
    redis_server.stop(home)


def test_newest_lists_that_are_all_empty(shop: Shop) -> None:
    for number in range(4):
        age = timedelta(hours=20 - number)
        rows = [("a", [1, 2], age), ("b", [3], age), *([("a", [], HOUR), ("b", [], HOUR)] if number == 3 else [])]
        keys, lists, ages = zip(*rows, strict=True)
        table = {"k": keys, "x": pa.array(lists, pa.list_(pa.int64())), "ts": times(*ages), "created": times(*ages)}
        shop.put(
            "empty",
            {name: list(column) if name == "k" else column for name, column in table.items()},
            f"{number}.parquet",
        )
    shop.view("empty", [K], t.Array(t.Int64))
    shop.materialize("empty")
    assert shop.offline_and_online("empty", {"k": ["a", "b"]}) == ([[], []], [[], []])


def test_texts_in_the_files_of_a_number_key(shop: Shop) -> None:
    ages = HOUR, HOUR
    shop.put("digits", {"user_id": ["007", "8"], "x": [1, 2], "ts": times(*ages), "created": times(*ages)})
    shop.view("digits", [U], t.Int64)
    shop.materialize("digits")
    assert shop.offline_and_online("digits", {"user_id": [7, 8]}) == ([1, 2], [1, 2])


def test_a_date_as_event_time(shop: Shop) -> None:
    day = pa.array([(NOW - timedelta(days=2)).date()])
    shop.put("dated", {"k": ["a"], "x": [1], "ts": day, "created": times(HOUR)})
    shop.view("dated", [K], t.Int64)
    shop.materialize("dated")
    assert shop.offline_and_online("dated", {"k": ["a"]}) == ([1], [1])


def test_a_push_without_a_created_time(shop: Shop) -> None:
    shop.put("pushed", {"k": ["a"], "x": [1], "ts": times(3 * HOUR), "created": times(3 * HOUR)})
    shop.view("pushed", [K], t.Int64, push=True)
    rows = pd.DataFrame({"k": ["a"], "x": [2], "ts": [NOW - HOUR], "created": pd.to_datetime([None], utc=True)})
    shop.store.push("pushed_push", rows, to=PushMode.ONLINE_AND_OFFLINE)
    assert shop.offline_and_online("pushed", {"k": ["a"]}) == ([2], [2])


@pytest.mark.parametrize("to", [PushMode.ONLINE, PushMode.OFFLINE, PushMode.ONLINE_AND_OFFLINE])
@pytest.mark.parametrize("pushed", [3.5, "three", ["three", 4]])
def test_a_push_that_does_not_fit_comes_nowhere(shop: Shop, to: PushMode, pushed: Any) -> None:
    shop.put("whole", {"k": ["a"], "x": [1], "ts": times(3 * HOUR), "created": times(3 * HOUR)})
    shop.view("whole", [K], t.Int64, push=True)
    shop.materialize("whole")
    cells = pushed if isinstance(pushed, list) else [pushed]
    rows = pd.DataFrame({"k": ["a"] * len(cells), "x": cells, "ts": [NOW - HOUR] * len(cells), "created": NOW - HOUR})
    with pytest.raises((InputError, pa.ArrowException) if to == PushMode.OFFLINE else InputError):
        shop.store.push("whole_push", rows, to=to)
    assert shop.offline_and_online("whole", {"k": ["a"]}) == ([1], [1])


@pytest.mark.parametrize(
    ("dtype", "cell", "expected"),
    [
        (t.Float64, 3, 3.0),
        (t.Int64, 3.0, 3),
        (t.Int64, "12", 12),
        (t.String, 12, "12"),
        (t.Float32, 0.1, float(np.float32(0.1))),
        (t.UnixTimestamp, 1_700_000_000, datetime.fromtimestamp(1_700_000_000, UTC)),
    ],
)
def test_a_push_is_the_same_online_and_offline(shop: Shop, dtype: Any, cell: Any, expected: Any) -> None:
    name = f"pushed_{dtype}_{type(cell).__name__}".lower()
    column = pa.nulls(1, pa.timestamp("us", "UTC") if dtype == t.UnixTimestamp else pa.null())
    shop.put(name, {"k": ["a"], "x": column, "ts": times(3 * HOUR), "created": times(3 * HOUR)})
    shop.view(name, [K], dtype, push=True)
    rows = pd.DataFrame({"k": ["a"], "x": [cell], "ts": [NOW - HOUR], "created": [NOW - HOUR]})
    shop.store.push(f"{name}_push", rows, to=PushMode.ONLINE_AND_OFFLINE)
    assert shop.offline_and_online(name, {"k": ["a"]}) == ([expected], [expected])


def test_a_push_of_missing_features_alone_comes_online_with_materialize(shop: Shop) -> None:
    """Feast warns, and writes the push only to the offline store."""
    shop.put("nothing", {"k": ["a"], "x": [1], "ts": times(3 * HOUR), "created": times(3 * HOUR)})
    shop.view("nothing", [K], t.Int64, push=True)
    shop.materialize("nothing")
    rows = pd.DataFrame({"k": ["a"], "x": [None], "ts": [NOW - HOUR], "created": [NOW - HOUR]})
    with pytest.warns(UserWarning, match="empty feature columns"):
        shop.store.push("nothing_push", rows, to=PushMode.ONLINE_AND_OFFLINE)
    assert shop.offline_and_online("nothing", {"k": ["a"]}) == ([None], [1])
    shop.materialize("nothing")
    assert shop.offline_and_online("nothing", {"k": ["a"]}) == ([None], [None])


def test_seconds_in_the_files_of_a_time(shop: Shop) -> None:
    seconds = 1_700_000_000
    moment = datetime.fromtimestamp(seconds, UTC)
    ages = HOUR, HOUR
    shop.put("seconds", {"at": [seconds, None], "x": [seconds, None], "ts": times(*ages), "created": times(*ages)})
    shop.view("seconds", [AT], t.UnixTimestamp)
    shop.materialize("seconds")
    assert shop.offline_and_online("seconds", {"at": [moment]}) == ([moment], [moment])


def test_maps_of_a_slim_lookup_are_as_feast_gives_them(shop: Shop) -> None:
    pairs = pa.array([[("p", "1")]], pa.map_(pa.string(), pa.string()))
    shop.put("mapped", {"k": ["a"], "x": pairs, "ts": times(HOUR), "created": times(HOUR)})
    view = shop.view("mapped", [K], t.Map)
    shop.store.apply([FeatureService(name="mapped_v1", features=[view])])
    compile_manifest(shop.store, shop.home)
    shop.materialize("mapped")
    feast_values = shop.store.get_online_features(["mapped:x"], {"k": ["a", "b"]}).to_dict()["x"]
    assert feast_values == [{"p": "1"}, None]
    assert OnlineFeatures("mapped_v1", shop.home).get({"k": ["a", "b"]}).values["mapped__x"] == feast_values


def test_the_ttl_follows_the_stopped_clock(shop: Shop) -> None:
    shop.put("brief", {"k": ["a"], "x": [1], "ts": times(timedelta(days=3)), "created": times(timedelta(days=3))})
    view = shop.view("brief", [K], t.Int64, ttl=2 * HOUR)
    shop.store.apply([FeatureService(name="brief_v1", features=[view])])
    compile_manifest(shop.store, shop.home)
    with clock.stopped(NOW - timedelta(days=3) + HOUR):
        shop.materialize("brief")
        assert shop.offline_and_online("brief", {"k": ["a"]}) == ([1], [1])
        assert OnlineFeatures("brief_v1", shop.home).get({"k": ["a"]}).values["brief__x"] == [1]
    assert OnlineFeatures("brief_v1", shop.home).get({"k": ["a"]}).values["brief__x"] == [None]


def test_views_under_other_names_are_left_to_feast(shop: Shop) -> None:
    """The slim lookup would merge them into one view, so the manifest leaves their service out."""
    shop.put("known", {"user_id": [1, 2], "x": [10, 20], "ts": times(HOUR, HOUR), "created": times(HOUR, HOUR)})
    view = shop.view("known", [U], t.Int64)
    projections = [
        view.with_name(name).with_join_key_map({"user_id": key}) for name, key in (("left", "lid"), ("right", "rid"))
    ]
    shop.store.apply([FeatureService(name="two", features=projections)])
    shop.materialize("known")
    assert "two" not in compile_manifest(shop.store, shop.home)
    with pytest.raises(LeftToFeast, match="left"):
        resolve_service(shop.store, CONTRACT, "two")
    service = shop.store.get_feature_service("two")
    rows = shop.store.get_online_features(service, {"lid": [1], "rid": [2]}, full_feature_names=True).to_dict()
    assert (rows["left__x"], rows["right__x"]) == ([10], [20])
    shop.store.delete_feature_service("two")


def test_a_stopped_run_is_gone_on_with_only_where_nothing_changed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from feature_repo import materialize as module

    for name in ("aa", "zz"):
        shop.put(name, {"k": ["a"], "x": [1], "ts": times(2 * HOUR), "created": times(2 * HOUR)})
        shop.view(name, [K], t.Int64)
    monkeypatch.setattr("feature_repo.store.open_store", lambda home: shop.store)
    materialize = shop.store.materialize

    def stop_at_zz(**arguments: Any) -> None:
        if arguments["feature_views"] == ["zz"]:
            raise KeyboardInterrupt
        materialize(**arguments)

    messages: list[str] = []
    for change in ("nothing", "clock", "table"):
        with monkeypatch.context() as patch:
            patch.setattr(shop.store, "materialize", stop_at_zz)
            with pytest.raises(KeyboardInterrupt):
                module.materialize(shop.home, None, say=messages.append)
        messages.clear()
        now = clock.now() + timedelta(hours=2) if change == "clock" else None
        if change == "table":
            shop.put("aa", {"k": ["a"], "x": [2], "ts": times(HOUR), "created": times(HOUR)})
        module.materialize(shop.home, None, say=messages.append, now=now)
        assert messages[0].startswith("continuing") == (change == "nothing"), change
    assert shop.offline_and_online("aa", {"k": ["a"]}) == ([2], [2])
    forget(shop.home, "k", "a")
    module.materialize(shop.home, None, say=messages.append)
    assert shop.offline_and_online("aa", {"k": ["a"]}) == ([2], [2])


def test_the_doctor_is_quiet_about_values_that_are_the_same(shop: Shop) -> None:
    naive_times = pa.array([datetime(2026, 1, 1)], pa.timestamp("us"))
    maps = pa.array([[("p", 1)]], pa.map_(pa.string(), pa.int64()))
    columns = {"naive": (naive_times, t.UnixTimestamp), "narrow": ([0.1], t.Float32), "text": ([7], t.String)}
    columns |= {"map": (maps, t.Map), "holes": (pa.array([[1.0, None]]), t.Array(t.Float64))}
    for name, (column, dtype) in columns.items():
        shop.put(name, {"k": ["a"], "x": column, "ts": times(HOUR), "created": times(HOUR)})
        shop.view(name, [K], dtype)
    shop.materialize(*columns)
    views = [shop.store.get_feature_view(name) for name in columns]
    for comparison in values.compare_views(shop.home, shop.store, views, clock.now(), 10):
        assert not comparison.findings
        assert comparison.values
    assert os.environ["REFRAIN_HOME"] == str(Path(shop.root))
