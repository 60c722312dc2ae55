"""A promotion while the process serves: taken over without a lost request, or refused and told."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from feature_repo.bundle import ALIASES, GOLDEN, MANIFEST
from feature_repo.errors import BundleError
from feature_repo.home import Home
from inference import golden
from inference.api.app import create_app
from inference.models import load_bundle
from inference.swap import Live, Watcher
from training.bundle import write_bundle


def _copy(home: Home, version: int, **changed: bytes) -> None:
    """The recommender again, as another version, with some of its files changed."""
    first = home.bundles("recommendation") / "1"
    manifest = json.loads((first / MANIFEST).read_text())
    files = {name: (first / name).read_bytes() for name in manifest.pop("files")}
    manifest.pop("code_revision")
    folder = home.bundles("recommendation") / str(version)
    write_bundle(folder, files | changed, manifest | {"version": version})


def _promote(home: Home, version: int) -> None:
    (home.bundles("recommendation") / ALIASES).write_text(json.dumps({"champion": str(version)}))


@pytest.fixture
def client(own_world: Home) -> Iterator[TestClient]:
    app = create_app(home=own_world)
    with TestClient(app) as test_client:
        yield test_client


def _served(client: TestClient) -> dict[str, object]:
    models = client.get("/v1/models").json()["models"]
    return next(model for model in models if model["serves"] == "recommendations")


def _until(condition, seconds: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_a_promotion_is_taken_over_and_no_request_is_lost(client: TestClient, own_world: Home) -> None:
    assert _served(client)["versions"] == {"recommendation": "recommendation:1"}
    found: list[tuple[int, str]] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            response = client.post("/v1/recommendations", json={"user_id": "u000007", "count": 3})
            found.append((response.status_code, response.json().get("model")))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        _until(lambda: len(found) > 10)
        _copy(own_world, 2)
        _promote(own_world, 2)
        _until(lambda: "recommendation:2" in [model for _, model in found])
    finally:
        ended.set()
        for asker in askers:
            asker.join()
    assert {status for status, _ in found} == {200}
    models = [model for _, model in found]
    assert set(models) == {"recommendation:1", "recommendation:2"}
    served = _served(client)
    assert served["versions"] == {"recommendation": "recommendation:2"}
    assert served["swapped_at"] is not None
    assert served["refused"] is None
    assert 'refrain_swaps_total{outcome="taken",serves="recommendations"} 1.0' in client.get("/metrics").text


def test_what_answers_otherwise_than_in_training_is_refused(client: TestClient, own_world: Home) -> None:
    """The ranker of a bundle that was changed as a whole: its digests fit, its answers do not."""
    import io

    told = dict(np.load(io.BytesIO((own_world.bundles("recommendation") / "1" / GOLDEN).read_bytes())))
    told["hybrid__outputs"] = told["hybrid__outputs"] + 1
    out = io.BytesIO()
    np.savez(out, **told)
    _copy(own_world, 2, **{GOLDEN: out.getvalue()})
    _promote(own_world, 2)
    _until(lambda: _served(client)["refused"] is not None)
    assert "BundleError" in str(_served(client)["refused"])
    response = client.post("/v1/recommendations", json={"user_id": "u000007"})
    assert (response.status_code, response.json()["model"]) == (200, "recommendation:1")
    with pytest.raises(BundleError, match="as in training"):
        golden.check(load_bundle("recommendation:2", own_world), "hybrid", lambda rows: np.zeros(len(rows)))


@pytest.mark.parametrize("damage", ["gone", "cut", "no onnx", "aliases"])
def test_a_damaged_successor_is_refused_and_the_next_one_taken(
    client: TestClient, own_world: Home, damage: str
) -> None:
    folder = own_world.bundles("recommendation")
    if damage == "no onnx":
        _copy(own_world, 2, **{"hybrid.onnx": b"nothing"})
    else:
        _copy(own_world, 2)
    if damage == "gone":
        shutil.rmtree(folder / "2")
    if damage == "cut":
        (folder / "2" / "similar.npz").write_bytes(b"")
    if damage == "aliases":
        (folder / ALIASES).write_text("{")
    else:
        _promote(own_world, 2)
    _until(lambda: _served(client)["refused"] is not None)
    assert client.post("/v1/recommendations", json={"user_id": "u000007"}).json()["model"] == "recommendation:1"
    assert client.get("/health").status_code == 200
    _copy(own_world, 3)
    _promote(own_world, 3)
    _until(lambda: _served(client)["versions"] == {"recommendation": "recommendation:3"})
    assert _served(client)["refused"] is None


def test_a_version_that_is_named_never_changes(own_world: Home) -> None:
    live = Live(lambda: load_bundle("recommendation:1", own_world), ["recommendation:1"], own_world)
    assert live.get().name_version == "recommendation:1"
    _copy(own_world, 2)
    _promote(own_world, 2)
    assert live.refresh() is None


def test_nobody_waits_for_what_nobody_asked_for(tmp_path: Path) -> None:
    home, loaded = Home(tmp_path), []
    live = Live(lambda: loaded.append(1) or "model", ["some"], home)
    told: list[str] = []
    watcher = Watcher({"some": live}, lambda name, swap: told.append(name), seconds=0.01)
    watcher.start()
    home.bundles("some").mkdir(parents=True)
    (home.bundles("some") / ALIASES).write_text("{}")
    time.sleep(0.1)
    assert loaded == []
    assert live.get() == live.get() == "model"
    (home.bundles("some") / ALIASES).write_text('{"champion": "2"}')
    _until(lambda: told == ["some"])
    watcher.close()
    assert loaded == [1, 1]


def test_many_ask_first_and_it_is_loaded_once(tmp_path: Path) -> None:
    loaded: list[int] = []

    def load() -> str:
        time.sleep(0.05)
        loaded.append(1)
        return "model"

    live = Live(load, [], Home(tmp_path))
    askers = [threading.Thread(target=live.get) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert loaded == [1]
