"""Deployment targets: a running server, the folder of a container image, and manifests for Kubernetes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from feature_repo import layout
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from inference.serve import SHUTDOWN_SECONDS
from tests.serving import serving
from training.deployment import local, target
from training.deployment.kubernetes import BEFORE_STOP, DRAIN, manifests

kubernetes_validate = pytest.importorskip("kubernetes_validate")
IMAGE = "registry.example.org/music/refrain:0123456789ab"
CHAMPIONS = {"recommendation": '{"champion": 1}\n'}


@pytest.mark.parametrize("tenant", ["default", "north_wind"])
def test_kubernetes_takes_the_manifests(tenant: str) -> None:
    documents = manifests(tenant, IMAGE)
    assert [document["kind"] for document in documents] == [
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    ]
    for manifest in documents:
        kubernetes_validate.validate(manifest, "1.31", strict=True)
    broken = json.loads(json.dumps(documents[0]))
    broken["spec"]["replicas"] = "two"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.31", strict=True)
    labels = documents[0]["spec"]["template"]["metadata"]["labels"]
    assert documents[1]["spec"]["selector"] == labels == documents[0]["spec"]["selector"]["matchLabels"]
    assert documents[0]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = documents[0]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == IMAGE
    assert pod["terminationGracePeriodSeconds"] > BEFORE_STOP + SHUTDOWN_SECONDS
    assert DRAIN == SHUTDOWN_SECONDS
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == {v["name"] for v in pod["volumes"]}


def test_the_folder_of_an_image_serves_by_itself(world: Home, tmp_path: Path) -> None:
    deployment = target(f"kubernetes:{tmp_path / 'out'}", world, "registry.example.org")
    assert deployment is not None
    message = deployment.deploy(world, CHAMPIONS)
    assert "docker push registry.example.org/refrain:" in message
    assert "kubectl apply" in message
    (image,) = set(re.findall(r"registry\.example\.org/refrain:\w+", message))
    assert image in (tmp_path / "out" / "manifests" / "deployment.json").read_text()
    context = tmp_path / "out" / "image"
    assert not [path for name in ("*.parquet", "evidence.npz", "background.npz") for path in context.rglob(name)]
    assert not (context / "training").exists()
    assert layout.of(Home(context / "home")) == layout.current()
    assert Home(context / "home").version_file.is_file()
    script = (
        "import inference, json; from fastapi.testclient import TestClient; from inference.api.app import create_app; "
        "from inference.models import load_bundle; from feature_repo.home import Home; "
        "print(inference.__file__, load_bundle('recommendation', Home.from_env()).name_version, "
        "TestClient(create_app()).get('/v1/models').status_code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(context), "REFRAIN_HOME": str(context / "home")}
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, cwd=context, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    file, version, status = process.stdout.split()
    assert (Path(file).is_relative_to(context), version, status) == (True, "recommendation:1", "200")
    # a second deployment replaces the whole folder
    (context / "old").write_text("of before")
    deployment.deploy(world, CHAMPIONS)
    assert not (context / "old").exists()


def test_nothing_promoted_is_an_error(world: Home, tmp_path: Path) -> None:
    deployment = target(f"container:{tmp_path / 'out'}", world)
    assert deployment is not None
    with pytest.raises(StoreError, match="promoted models"):
        deployment.deploy(world, {})
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="a deployment target"):
        target("moon", world)
    assert target(None, world) is None


def test_a_server_is_waited_for(world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(world) as (client, _):
        url = str(client.base_url).rstrip("/")
        client.post("/v1/recommendations", json={"user_id": "u000007"})
        deployment = target(f"local:{url}", world)
        assert deployment is not None
        assert "recommendation:1" in deployment.deploy(world, CHAMPIONS)
        monkeypatch.setattr(local, "PATIENCE", 0.3)
        with pytest.raises(StoreError, match="another version of recommendation"):
            deployment.deploy(world, {"recommendation": '{"champion": 7}'})
    with pytest.raises(StoreError, match="to answer with the champions"):
        deployment.deploy(world, CHAMPIONS)
