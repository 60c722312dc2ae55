"""What ``deploy/`` names exists: commands, routes, variables, ports, files, images; and every process is confined."""

import importlib.util
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from feature_repo.home import PATHS, REPOSITORY
from inference.serve import DEFAULTS, SHUTDOWN_SECONDS
from refrain.cli import app
from tests.commands import check_call
from tests.deploy.files import (
    COMPOSE,
    DEPLOY,
    KUBERNETES,
    OF_OTHERS,
    UNITS,
    Process,
    compose,
    manifests,
    pods,
    processes,
)
from tests.inference.test_openapi import OPERATIONS
from tests.repository import PACKAGES
from training.deployment.container import USER

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
STAGES = {f"refrain-{stage}" for stage in re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.M)}
PORT = DEFAULTS["--port"]
SCHEMA = ("vendor", "compose-spec.json")
every_process = pytest.mark.parametrize("process", processes(), ids=lambda process: f"{process.file}:{process.name}")


@every_process
def test_its_commands_exist(process: Process) -> None:
    assert process.calls
    for words in process.calls:
        check_call(app, words)


def test_the_same_work_is_done_everywhere() -> None:
    """Serving, the stream, materialization and retraining, whichever way it is run."""
    needed = {"serve", "stream", "build", "apply", "materialize", "model retrain"}
    for kind in ("deploy/compose", "deploy/kubernetes", "deploy/systemd"):
        calls = [words for process in processes() if process.file.startswith(kind) for words in process.calls]
        assert needed <= {" ".join(words[: 2 if words[0] == "model" else 1]) for words in calls}, kind


@every_process
def test_its_variables_are_read_by_our_code(process: Process) -> None:
    for name in process.environment:
        assert name in _known_variables(), name
    profile = process.environment["REFRAIN_PROFILE"]
    assert (REPOSITORY / "feature_repo" / "profiles" / f"{profile}.yaml").is_file()


@every_process
def test_it_has_longer_to_end_than_a_server_drains(process: Process) -> None:
    hook = process.settings.get("lifecycle", {"preStop": {"exec": {"command": ["sleep", "0"]}}})
    assert process.grace > SHUTDOWN_SECONDS + float(hook["preStop"]["exec"]["command"][1])


@every_process
def test_a_path_that_a_variable_names_is_mounted(process: Process) -> None:
    mounts = [mount["mountPath"] for mount in process.settings.get("volumeMounts", ())]
    mounts += [volume.split(":")[1] for volume in process.settings.get("volumes", ())]
    mounts += [f"/run/secrets/{name}" for name in process.settings.get("secrets", ())]
    if "systemd" in process.file:
        mounts = ["/var/lib/refrain"]
    for name in PATHS:
        place = process.environment.get(name, "")
        assert not place or any(Path(place).is_relative_to(mount) for mount in mounts), (name, place)


def test_the_compose_file_fits_its_schema() -> None:
    package = importlib.util.find_spec("check_jsonschema")
    if package is None or package.origin is None:
        pytest.skip("no check-jsonschema: make setup")
    schema = json.loads(Path(package.origin).with_name("builtin_schemas").joinpath(*SCHEMA).read_text())
    assert not [error.message for error in Draft7Validator(schema).iter_errors(compose())]
    broken = compose() | {"servces": {}}
    assert list(Draft7Validator(schema).iter_errors(broken))


def test_what_the_compose_file_names_exists() -> None:
    content = compose()
    for service in content["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            exists = (DEPLOY / source).exists() if source.startswith(".") else source in content["volumes"]
            assert exists, volume
        assert set(service.get("secrets", ())) <= content["secrets"].keys()
        assert set(service.get("depends_on", ())) <= content["services"].keys()
        if "build" in service:
            build = service["build"]
            assert (COMPOSE.parent / build["context"] / build["dockerfile"]).is_file()
            assert service["image"] == f"refrain-{build['target']}"
    images = {service["image"] for name, service in content["services"].items() if name not in OF_OTHERS}
    assert images == STAGES
    assert content["services"]["serve"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    (job,) = yaml.safe_load((DEPLOY / "compose" / "prometheus.yaml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"serve:{PORT}"]}]
    command = content["services"]["serve"]["command"]
    assert command[command.index("--host-name") + 1] == "serve"  # by which Prometheus asks it
    secret = job["authorization"]["credentials_file"].removeprefix("/run/secrets/")
    assert secret in content["services"]["prometheus"]["secrets"]
    source = yaml.safe_load((DEPLOY / "compose" / "datasource.yaml").read_text())["datasources"][0]["url"]
    assert source == "http://prometheus:9090"
    board = yaml.safe_load((DEPLOY / "compose" / "dashboards.yaml").read_text())["providers"][0]["options"]["path"]
    assert f"./grafana:{board}:ro" in content["services"]["grafana"]["volumes"]


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_a_service_of_the_compose_file_is_confined(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    if name not in OF_OTHERS:
        assert service["user"] == f"{USER}:{USER}"


def test_kubernetes_takes_the_manifests() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for _, manifest in manifests():
        kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_kustomize_finds_every_file_and_image() -> None:
    content = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    assert {*content["resources"], "kustomization.yaml"} == {file.name for file in KUBERNETES}
    images = {c["image"] for _, _, pod in pods() for c in [*pod.get("initContainers", []), *pod["containers"]]}
    assert images == STAGES == {image["name"] for image in content["images"]}
    (version,) = re.findall(r'^version = "(.*)"', (REPOSITORY / "pyproject.toml").read_text(), re.M)
    assert {image["newTag"] for image in content["images"]} == {version}
    names = {(manifest["kind"], manifest["metadata"]["name"]) for _, manifest in manifests()}
    assert ("Namespace", content["namespace"]) in names
    for _, _, pod in pods():
        assert ("ServiceAccount", pod["serviceAccountName"]) in names
        claims = [v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v]
        assert all(("PersistentVolumeClaim", claim) in names for claim in claims)


@pytest.mark.parametrize("place", range(len(pods())), ids=[manifest["metadata"]["name"] for _, manifest, _ in pods()])
def test_a_pod_is_confined_and_bounded(place: int) -> None:
    _, manifest, pod = pods()[place]
    security = pod["securityContext"]
    assert (security["runAsNonRoot"], security["runAsUser"], security["fsGroup"]) == (True, USER, USER)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container["securityContext"]
        assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} == container["resources"].keys()
        assert "memory" in container["resources"]["limits"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
    labels = _labels(manifest)
    assert labels["app.kubernetes.io/name"] == "refrain"


def test_probes_and_ports_are_those_of_the_server() -> None:
    ((_, deployment, pod),) = [entry for entry in pods() if entry[1]["metadata"]["name"] == "refrain-serve"]
    (container,) = pod["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == PORT == int(container["args"][container["args"].index("--port") + 1])
    assert f"EXPOSE {PORT}\n" in DOCKERFILE
    paths = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths["livenessProbe"]["path"] == paths["startupProbe"]["path"] == "/live"  # needs no store: no restarts
    assert paths["readinessProbe"]["path"] == "/ready"
    for probe in paths.values():
        assert f"GET {probe['path']}" in OPERATIONS
        assert probe["port"] == port["name"]
    by_kind: dict[str, Any] = {manifest["kind"]: manifest for _, manifest in manifests()}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    service = by_kind["Service"]["metadata"]["name"]
    assert {service, f"{service}.refrain.svc"} <= set(by_kind["ConfigMap"]["data"]["REFRAIN_HOST_NAMES"].split())
    assert by_kind["Service"]["spec"]["selector"] == labels == deployment["spec"]["selector"]["matchLabels"]
    assert by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert set(re.findall(r"127\.0\.0\.1:(\d+)/", DOCKERFILE + COMPOSE.read_text())) == {str(PORT)}
    for path in re.findall(r"127\.0\.0\.1:\d+(/\w+)", DOCKERFILE + COMPOSE.read_text()):
        assert f"GET {path}" in OPERATIONS


def test_the_lines_of_the_dockerfile_name_what_exists_and_what_its_context_has() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    for source in re.findall(r"^COPY (\S+) ", DOCKERFILE, re.M):
        assert f"!{source}" in ignored
        assert source.startswith("dist/") or (REPOSITORY / source).is_file()
    assert DOCKERFILE.count(f"USER {USER}:{USER}\n") == len(STAGES)
    assert DOCKERFILE.count("--require-hashes") == len(STAGES)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze: apt-get install systemd")
def test_systemd_takes_the_units_and_finds_them_confined(tmp_path: Path) -> None:
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/refrain/bin/refrain", "/bin/true"))
    files = sorted(map(str, tmp_path.iterdir()))
    verified = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    services = [file for file in files if file.endswith(".service")]
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", *services]
    rated = subprocess.run(command, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout  # an exposure of 2.0 at most, of 10


def test_timers_start_services_that_exist() -> None:
    names = {unit.name for unit in UNITS}
    timers = [unit for unit in UNITS if unit.suffix == ".timer"]
    assert len(timers) == 3
    for unit in timers:
        assert f"{unit.stem}.service" in names
    for unit in UNITS:
        assert unit.suffix == ".timer" or "EnvironmentFile=/etc/refrain/environment" in unit.read_text()


def _labels(manifest: dict[str, Any]) -> dict[str, str]:
    spec = manifest["spec"].get("jobTemplate", {}).get("spec", manifest["spec"])
    labels: dict[str, str] = spec["template"]["metadata"]["labels"]
    return labels


@cache
def _known_variables() -> set[str]:
    files = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    files += (REPOSITORY / "feature_repo" / "profiles").glob("*.yaml")
    return {name for path in files for name in re.findall(r"\bREFRAIN_[A-Z0-9_]+\b", path.read_text())}
