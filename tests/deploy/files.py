"""The files of ``deploy/``, read: every process that they start, whatever starts it."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from feature_repo.home import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("refrain-*"))
OF_OTHERS = {"redis", "prometheus", "grafana"}
"""Services of the compose file that are not ours."""


@dataclass(frozen=True)
class Process:
    """A process of ours that some file starts.

    Attributes:
        file: the file, from the repository.
        name: its name there.
        calls: the words behind each ``refrain``.
        environment: environment variables that the file sets.
        grace: seconds between the signal that it shall end, and its death.
        settings: what the file says of it, as it is there.
    """

    file: str
    name: str
    calls: list[list[str]]
    environment: dict[str, str]
    grace: float
    settings: dict[str, Any] = field(default_factory=dict)


def compose() -> dict[str, Any]:
    """Reads the compose file."""
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return content


def manifests() -> list[tuple[Path, dict[str, Any]]]:
    """Reads the manifests of Kubernetes, each with its file."""
    documents = ((file, document) for file in KUBERNETES for document in yaml.safe_load_all(file.read_text()))
    return [(file, document) for file, document in documents if document["kind"] != "Kustomization"]


def pods() -> list[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """Returns file, manifest and specification of every pod."""
    found = []
    for file, manifest in manifests():
        job = manifest["spec"].get("jobTemplate", {}).get("spec", {}) if "spec" in manifest else {}
        template = job.get("template") or manifest.get("spec", {}).get("template")
        if template:
            found.append((file, manifest, template["spec"]))
    return found


def processes() -> list[Process]:
    """Returns every process of ours, of all three kinds of files."""
    return [*_of_compose(), *_of_kubernetes(), *_of_systemd()]


def _of_compose() -> list[Process]:
    return [
        Process(
            "deploy/compose.yaml",
            name,
            _calls(service),
            service["environment"],
            _seconds(service["stop_grace_period"]),
            service,
        )
        for name, service in compose()["services"].items()
        if name not in OF_OTHERS
    ]


def _of_kubernetes() -> list[Process]:
    (settings,) = [manifest["data"] for _, manifest in manifests() if manifest["kind"] == "ConfigMap"]
    return [
        Process(
            str(file.relative_to(REPOSITORY)),
            container["name"],
            _calls({"entrypoint": container.get("command"), "command": container["args"]}),
            settings,
            pod["terminationGracePeriodSeconds"],
            container,
        )
        for file, _, pod in pods()
        for container in [*pod.get("initContainers", []), *pod["containers"]]
    ]


def _of_systemd() -> list[Process]:
    found = []
    for unit in UNITS:
        if unit.suffix == ".service":
            text = unit.read_text()
            lines = re.findall(r"^ExecStart=/opt/refrain/bin/refrain (.*)$", text, re.M)
            variables = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.M))
            variables |= dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "systemd" / "environment").read_text(), re.M))
            (grace,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.M)
            calls = [shlex.split(line) for line in lines]
            found.append(Process(str(unit.relative_to(REPOSITORY)), unit.stem, calls, variables, float(grace)))
    return found


def _calls(service: dict[str, Any]) -> list[list[str]]:
    """Returns the words behind each ``refrain``: of the arguments of the image's own command, or of a shell script."""
    words = service["command"]
    if not service.get("entrypoint"):
        return [words]
    assert service["entrypoint"] == ["/bin/sh", "-c"], service
    (script,) = words
    return [shlex.split(call) for call in re.findall(r"\brefrain ([^;&|\n]+)", script)]


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))
