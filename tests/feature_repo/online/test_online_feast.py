"""Feast around the packed online store: its server, its search by vector, its signatures, and errors."""

import inspect
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore, FeatureView, Field
from feast import types as t
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.online_stores.online_store import OnlineStore

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.stores.engine import PackedComputeEngine
from feature_repo.stores.online import PackedRedisOnlineStore
from tests.feature_repo.online.stores import NOW, TRACK, USER, online, open_store, plays, times, view
from tests.servers import free_port, wait_for


@pytest.mark.interop
def test_feasts_feature_server_answers(home: Home, tmp_path: Path) -> None:
    store = open_store(home)
    store.apply([USER, view(home, "plays", plays([("a", 1, NOW)]), {"n": t.Int64})])
    store.materialize(NOW - timedelta(days=1), NOW)
    port = free_port()
    (home.root / "feature_store.yaml").write_text(
        json.dumps(
            {
                "project": "music",
                "provider": "local",
                "registry": str(home.root / "music.db"),
                "offline_store": {"type": "feature_repo.stores.offline.AsOfOfflineStore"},
                "online_store": {"type": "feature_repo.stores.online.PackedRedisOnlineStore"},
                "entity_key_serialization_version": 3,
            }
        )
    )
    feast = Path(sys.executable).with_name("feast")
    server = subprocess.Popen(
        [feast, "-c", str(home.root), "serve", "-p", str(port), "--no-access-log"],
        env={**os.environ, "TMPDIR": str(tmp_path)},  # Feast leaves a folder of metrics there
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def is_up() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(is_up, seconds=60)
        response = httpx.post(
            f"http://127.0.0.1:{port}/get-online-features",
            json={"features": ["plays:n"], "entities": {"user_id": ["a", "z"]}},
            timeout=30,
        ).json()
        assert [result["values"] for result in response["results"]] == [["a", "z"], [1, None]]
        assert response["results"][1]["statuses"] == ["PRESENT", "NOT_FOUND"]
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.parametrize("length", [0, 3])
@pytest.mark.parametrize("metric", ["L2", "cosine", "inner_product"])
def test_the_nearest_vectors_are_found_by_looking_at_all(home: Home, metric: str, length: int) -> None:
    vectors = np.random.default_rng(3).normal(size=(2_500, 3)).astype(np.float32)
    keys = [int(n) for n in np.random.default_rng(4).permutation(2_500)]
    table = pa.table({"track_number": keys, "v": pa.array(vectors.tolist(), pa.list_(pa.float32())), **times(2_500)})
    store = open_store(home)
    tracks = view(home, "tracks", table, {}, entities=(TRACK,))
    field = Field(name="v", dtype=t.Array(t.Float32), vector_index=True, vector_length=length)
    store.apply([TRACK, FeatureView(name="tracks", entities=[TRACK], schema=[field], source=tracks.batch_source)])
    store.materialize(NOW - timedelta(days=1), NOW)
    query = np.array([0.3, -1.0, 0.5])
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    distance = {
        "L2": np.linalg.norm(vectors - query, axis=1),
        "cosine": 1 - vectors @ query / norms,
        "inner_product": -(vectors @ query),
    }[metric]
    response = store.retrieve_online_documents_v2(
        features=["tracks:v"], query=query.tolist(), top_k=7, distance_metric=metric
    ).to_dict()
    expected = {keys[position]: vectors[position].tolist() for position in np.argsort(distance)[:7]}
    assert dict(zip(response["track_number"], response["v"], strict=True)) == expected
    distance_of_key = dict(zip(keys, distance, strict=True))
    np.testing.assert_allclose(
        response["distance"], [distance_of_key[key] for key in response["track_number"]], rtol=1e-5, atol=1e-6
    )
    with pytest.raises(InputError, match="a search by vector"):
        store.retrieve_online_documents_v2(features=["tracks:v"], query_string="x", top_k=1)


def test_reads_never_fail_while_a_view_is_materialized(store: FeatureStore, home: Home) -> None:
    later = NOW + timedelta(days=1)
    new_rows = [(f"u{number}", number, later) for number in range(60_000)]
    pq.write_table(plays([*new_rows, ("a", -1, later)]), home.root / "plays.parquet")
    script = (
        "import sys, warnings; warnings.simplefilter('ignore'); from datetime import *; from pathlib import Path;"
        "from feature_repo.home import Home; from tests.feature_repo.online.stores import open_store;"
        f"open_store(Home(Path({str(home.root)!r}))).materialize(datetime(2026, 1, 1, tzinfo=UTC),"
        " datetime(2026, 1, 9, tzinfo=UTC))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    responses = []
    while process.poll() is None:
        responses.append(online(store, ["a", "b", "c"]))
        time.sleep(0.002)
    assert process.returncode == 0
    assert all(row[0] in (1, -1) and row[1:] == [2, 3] for row in responses)
    assert online(store, ["a", "u59999"]) == [-1, 59_999]


def test_other_stores_go_to_feasts_engine(home: Home) -> None:
    store = open_store(home, type="sqlite", path=str(home.root / "online.db"))
    store.apply([USER, view(home, "plays", plays([("a", 1, NOW)]), {"n": t.Int64})])
    store.materialize(NOW - timedelta(days=1), NOW)
    assert online(store, ["a"]) == [1]


def test_a_table_that_is_missing_or_does_not_fit_is_told(home: Home) -> None:
    store = open_store(home)
    store.apply([USER, view(home, "plays", plays([("a", 1, NOW)]), {"n": t.Int32})])
    pq.write_table(plays([("a", 2**40, NOW)]), home.root / "plays.parquet")
    with pytest.raises(InputError, match="values of type Int32 in plays:n"):
        store.materialize(NOW - timedelta(days=1), NOW)
    (home.root / "plays.parquet").unlink()
    with pytest.raises(StoreError, match="plays"):
        store.materialize(NOW - timedelta(days=1), NOW)


def _methods(kind: type, base: type) -> Iterator[tuple[str, Any, Any]]:
    for name, method in vars(kind).items():
        if callable(method) and hasattr(base, name) and (not name.startswith("_") or name == "_materialize_one"):
            yield name, method, getattr(base, name)


@pytest.mark.parametrize(
    ("kind", "base"), [(PackedRedisOnlineStore, OnlineStore), (PackedComputeEngine, LocalComputeEngine)]
)
def test_every_method_takes_what_feasts_takes(kind: type, base: type) -> None:
    method_count = 0
    for name, own_method, feast_method in _methods(kind, base):
        own_parameters, feast_parameters = (
            inspect.signature(own_method).parameters,
            inspect.signature(feast_method).parameters,
        )
        assert list(own_parameters)[: len(feast_parameters)] == list(feast_parameters) or "named" in own_parameters, (
            name
        )
        for parameter, feast_parameter in feast_parameters.items():
            if parameter in own_parameters:
                assert own_parameters[parameter].default == feast_parameter.default, (name, parameter)
        method_count += 1
    assert method_count >= (9 if kind is PackedRedisOnlineStore else 1)
