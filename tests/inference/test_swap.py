"""A promotion while the process serves: it is loaded without a lost request, or refused and reported."""

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


def _copy_bundle(home: Home, version: int, **changed_files: bytes) -> None:
    """Copies the recommender as another version, with a part of its files changed."""
    original = home.bundles("recommendation") / "1"
    manifest = json.loads((original / MANIFEST).read_text())
    files = {name: (original / name).read_bytes() for name in manifest.pop("files")}
    manifest.pop("code_revision")
    manifest.pop("refrain")
    folder = home.bundles("recommendation") / str(version)
    write_bundle(folder, files | changed_files, manifest | {"version": version})


def _promote(home: Home, version: int) -> None:
    (home.bundles("recommendation") / ALIASES).write_text(json.dumps({"champion": str(version)}))


@pytest.fixture
def client(own_world: Home) -> Iterator[TestClient]:
    app = create_app(home=own_world)
    with TestClient(app) as test_client:
        yield test_client


def _served_model(client: TestClient) -> dict[str, object]:
    models = client.get("/v1/models").json()["models"]
    return next(model for model in models if model["serves"] == "recommendations")


def _wait_until(condition, seconds: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_a_promotion_is_taken_over_and_no_request_is_lost(client: TestClient, own_world: Home) -> None:
    assert _served_model(client)["versions"] == {"recommendation": "recommendation:1"}
    statuses_and_models: list[tuple[int, str]] = []
    stop = threading.Event()

    def post_repeatedly() -> None:
        while not stop.is_set():
            response = client.post("/v1/recommendations", json={"user_id": "u000007", "count": 3})
            statuses_and_models.append((response.status_code, response.json().get("model")))

    threads = [threading.Thread(target=post_repeatedly) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        _wait_until(lambda: len(statuses_and_models) > 10)
        _copy_bundle(own_world, 2)
        _promote(own_world, 2)
        _wait_until(lambda: "recommendation:2" in [model for _, model in statuses_and_models])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in statuses_and_models} == {200}
    models = [model for _, model in statuses_and_models]
    assert set(models) == {"recommendation:1", "recommendation:2"}
    model_status = _served_model(client)
    assert model_status["versions"] == {"recommendation": "recommendation:2"}
    assert model_status["swapped_at"] is not None
    assert model_status["refused"] is None
    assert 'refrain_swaps_total{outcome="taken",serves="recommendations"} 1.0' in client.get("/metrics").text


def test_what_answers_otherwise_than_in_training_is_refused(client: TestClient, own_world: Home) -> None:
    """The digests of the changed bundle are correct, but its ranker does not give the answers of training."""
    import io

    arrays = dict(np.load(io.BytesIO((own_world.bundles("recommendation") / "1" / GOLDEN).read_bytes())))
    arrays["hybrid__outputs"] = arrays["hybrid__outputs"] + 1
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    _copy_bundle(own_world, 2, **{GOLDEN: buffer.getvalue()})
    _promote(own_world, 2)
    _wait_until(lambda: _served_model(client)["refused"] is not None)
    assert str(_served_model(client)["refused"]).startswith("expected ")
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
        _copy_bundle(own_world, 2, **{"hybrid.onnx": b"nothing"})
    else:
        _copy_bundle(own_world, 2)
    if damage == "gone":
        shutil.rmtree(folder / "2")
    if damage == "cut":
        (folder / "2" / "similar.npz").write_bytes(b"")
    if damage == "aliases":
        (folder / ALIASES).write_text("{")
    else:
        _promote(own_world, 2)
    _wait_until(lambda: _served_model(client)["refused"] is not None)
    assert client.post("/v1/recommendations", json={"user_id": "u000007"}).json()["model"] == "recommendation:1"
    assert client.get("/health").status_code == 200
    answer = client.get("/v1/models").text
    assert str(own_world.root) not in answer
    assert "rm -r" not in answer
    _copy_bundle(own_world, 3)
    _promote(own_world, 3)
    _wait_until(lambda: _served_model(client)["versions"] == {"recommendation": "recommendation:3"})
    assert _served_model(client)["refused"] is None


def test_a_version_that_is_named_never_changes(own_world: Home) -> None:
    live = Live(lambda: load_bundle("recommendation:1", own_world), ["recommendation:1"], own_world)
    assert live.get().name_version == "recommendation:1"
    _copy_bundle(own_world, 2)
    _promote(own_world, 2)
    assert live.refresh() is None


def test_nobody_waits_for_what_nobody_asked_for(tmp_path: Path) -> None:
    home, loads = Home(tmp_path), []
    live = Live(lambda: loads.append(1) or "model", ["some"], home)
    swapped_names: list[str] = []
    watcher = Watcher({"some": live}, lambda name, swap: swapped_names.append(name), seconds=0.01)
    watcher.start()
    home.bundles("some").mkdir(parents=True)
    (home.bundles("some") / ALIASES).write_text("{}")
    time.sleep(0.1)
    assert loads == []
    assert live.get() == live.get() == "model"
    (home.bundles("some") / ALIASES).write_text('{"champion": "2"}')
    _wait_until(lambda: swapped_names == ["some"])
    watcher.close()
    assert loads == [1, 1]


def test_many_ask_first_and_it_is_loaded_once(tmp_path: Path) -> None:
    loads: list[int] = []

    def load() -> str:
        time.sleep(0.05)
        loads.append(1)
        return "model"

    live = Live(load, [], Home(tmp_path))
    threads = [threading.Thread(target=live.get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == [1]


def test_after_a_demotion_nothing_serves(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.bundles("some").mkdir(parents=True)
    aliases = home.bundles("some") / ALIASES
    aliases.write_text('{"champion": "1"}')
    live = Live(aliases.read_text, ["some"], home)
    live.get()
    aliases.write_text("{}")
    swap = live.refresh()
    assert swap is not None
    assert (swap.accepted, swap.reason, live.loaded) == (True, "demoted: no version serves", None)
    aliases.write_text('{"champion": "2"}')
    assert live.get() == '{"champion": "2"}'
