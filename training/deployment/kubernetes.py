"""Kubernetes manifests beside the build context: a rolling deployment that is ready before the old pods stop."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from training.deployment.container import build_context

PORT = 8000
USER = 10001


@dataclass(frozen=True)
class Kubernetes:
    """A Kubernetes cluster.

    Attributes:
        folder: folder to write: ``image`` to build, ``manifests`` to apply.
    """

    folder: Path

    def deploy(self, home: Home, champions: dict[str, str]) -> str:
        """Writes the build context and the manifests.

        Raises:
            StoreError: no model is promoted, or no definitions are applied.
        """
        build_context(home, champions, self.folder / "image")
        manifest_folder = self.folder / "manifests"
        manifest_folder.mkdir(parents=True, exist_ok=True)
        for manifest in manifests(home.tenant, champions):
            # JSON is valid YAML, so kubectl reads it
            (manifest_folder / f"{manifest['kind'].lower()}.json").write_text(json.dumps(manifest, indent=1) + "\n")
        tag = image(champions)
        return f"docker build -t {tag} '{self.folder / 'image'}' && kubectl apply -f '{manifest_folder}'"


def image(champions: dict[str, str]) -> str:
    """Returns name and tag of the image; the same champions give the same tag."""
    return f"refrain:{hashlib.sha256(json.dumps(champions, sort_keys=True).encode()).hexdigest()[:12]}"


def manifests(tenant: str, champions: dict[str, str], replicas: int = 2) -> list[dict[str, Any]]:
    """Makes deployment, service, disruption budget and autoscaler of the serving processes.

    Two secrets must exist: ``<name>`` with the address of Redis as ``redis``, and ``<name>-keys`` with the file of
    the digests of the API keys.

    Args:
        tenant: name of the tenant.
        champions: model → aliases; the image's tag follows from them.
        replicas: smallest number of serving processes.
    """
    name = f"refrain-{tenant.replace('_', '-')}"
    labels = {"app.kubernetes.io/name": "refrain", "app.kubernetes.io/instance": name}
    metadata = {"name": name, "labels": labels}
    probe = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5}
    container = {
        "name": "serve",
        "image": image(champions),
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": [
            {"name": "REFRAIN_TENANT", "value": tenant},
            {"name": "REFRAIN_REDIS", "valueFrom": {"secretKeyRef": {"name": name, "key": "redis"}}},
        ],
        "volumeMounts": [{"name": "keys", "mountPath": "/srv/refrain/security", "readOnly": True}],
        "startupProbe": {**probe, "failureThreshold": 30},
        "readinessProbe": probe,
        "livenessProbe": {**probe, "periodSeconds": 15},
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        # the pod leaves the endpoints before it stops listening
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [container],
                        "volumes": [{"name": "keys", "secret": {"secretName": f"{name}-keys"}}],
                        "terminationGracePeriodSeconds": 30,
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata,
            "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": metadata,
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": replicas,
                "maxReplicas": 5 * replicas,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                    }
                ],
            },
        },
    ]
