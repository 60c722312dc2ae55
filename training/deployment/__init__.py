"""Deployment targets of champions: a server on this data folder, a container image, a Kubernetes cluster.

A ``Target`` deploys champions and says what it did. ``local`` only needs the promotion: servers follow ``aliases.json``
and swap models without a failed request. The others write a self-contained folder.
"""

from pathlib import Path
from typing import Protocol

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.deployment.container import Container
from training.deployment.kubernetes import Kubernetes
from training.deployment.local import Local


class Target(Protocol):
    """A deployment target."""

    def deploy(self, home: Home, champions: dict[str, str]) -> str:
        """Deploys the champions. Returns what was done, in words."""


def target(description: str | None, home: Home, registry: str = "") -> Target | None:
    """Parses a target: ``local``, ``local:URL``, ``container:PATH``, ``kubernetes:PATH``, or None.

    Args:
        description: the target.
        home: the data folder.
        registry: registry of images, such as ``registry.example.org/music``; empty for none.

    Raises:
        InputError: it is none of them.
    """
    if description is None:
        return None
    kind, _, rest = description.partition(":")
    if kind == "local":
        return Local(rest or None)
    if kind in ("container", "kubernetes") and rest:
        return Container(Path(rest), registry) if kind == "container" else Kubernetes(Path(rest), registry)
    raise InputError(
        expected="a deployment target: local, local:URL, container:PATH or kubernetes:PATH",
        found=repr(description),
        next_command="refrain model lifecycle --help",
    )
