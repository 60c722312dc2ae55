"""Kubernetes manifests beside the build context: a rolling deployment that is ready before the old pods stop."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from training.deployment.container import HOME, PORT, USER, WRITTEN, build_command, build_context, image_name

DOMAINS = ("$(NAMESPACE)", "$(NAMESPACE).svc", "$(NAMESPACE).svc.cluster.local")
"""What a cluster appends to the name of a service; Kubernetes fills the variable in."""
BEFORE_STOP, DRAIN, MARGIN = 5, 30, 10
"""Seconds: the pod leaves the endpoints, then its requests are answered, then there is some time to end."""


@dataclass(frozen=True)
class Kubernetes:
    """A Kubernetes cluster.

    Attributes:
        folder: folder to write: ``image`` to build, ``manifests`` to apply.
        registry: where the cluster pulls the image from, such as ``registry.example.org/music``; empty for nowhere.
    """

    folder: Path
    registry: str = ""

    def deploy(self, home: Home, champions: dict[str, str]) -> str:
        """Writes the build context and the manifests.

        Raises:
            StoreError: no model is promoted, or no definitions are applied.
        """
        build_context(home, champions, self.folder / "image")
        manifest_folder = self.folder / "manifests"
        manifest_folder.mkdir(parents=True, exist_ok=True)
        for manifest in manifests(home.tenant, image_name(self.folder / "image", self.registry)):
            # JSON is valid YAML, so kubectl reads it
            (manifest_folder / f"{manifest['kind'].lower()}.json").write_text(json.dumps(manifest, indent=1) + "\n")
        return f"{build_command(self.folder / 'image', self.registry)} && kubectl apply -f '{manifest_folder}'"


def manifests(tenant: str, image: str, replicas: int = 2) -> list[dict[str, Any]]:
    """Makes deployment, service, disruption budget and autoscaler of the serving processes.

    Two secrets must exist: ``<name>`` with the address of Redis as ``redis``, and ``<name>-keys`` with the file of
    the digests of the API keys.

    Args:
        tenant: name of the tenant.
        image: name and tag of the image.
        replicas: smallest number of serving processes.
    """
    name = f"refrain-{tenant.replace('_', '-')}"
    labels = {"app.kubernetes.io/name": "refrain", "app.kubernetes.io/instance": name}
    metadata = {"name": name, "labels": labels}
    live = {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 5, "timeoutSeconds": 2}
    ready = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5, "timeoutSeconds": 5}
    container = {
        "name": "serve",
        "image": image,
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": [
            {"name": "REFRAIN_TENANT", "value": tenant},
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            # the names under which the service is reached inside the cluster
            {"name": "REFRAIN_HOST_NAMES", "value": " ".join([name, *(f"{name}.{domain}" for domain in DOMAINS)])},
            {"name": "REFRAIN_REDIS", "valueFrom": {"secretKeyRef": {"name": name, "key": "redis"}}},
        ],
        "volumeMounts": [
            {"name": "keys", "mountPath": f"{HOME}/security", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
            *({"name": "written", "mountPath": f"{HOME}/{name}", "subPath": name} for name in WRITTEN),
        ],
        "startupProbe": {**live, "periodSeconds": 2, "failureThreshold": 60},
        # without their store pods still recommend, from their bundles: they stay for a minute
        "readinessProbe": {**ready, "failureThreshold": 12},
        "livenessProbe": {**live, "periodSeconds": 15},
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # the pod leaves the endpoints before it stops listening
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(BEFORE_STOP)]}}},
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
                        "volumes": [
                            {"name": "keys", "secret": {"secretName": f"{name}-keys"}},
                            {"name": "tmp", "emptyDir": {"sizeLimit": "320Mi"}},
                            {"name": "written", "emptyDir": {}},
                        ],
                        "automountServiceAccountToken": False,
                        "securityContext": {"fsGroup": USER},
                        "terminationGracePeriodSeconds": BEFORE_STOP + DRAIN + MARGIN,
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
