"""Where champions answer: a server on this data folder, a container image, a Kubernetes cluster.

A ``Target`` takes champions and says what it did. ``local`` needs nothing but the promotion: servers follow
``aliases.json`` and swap without a failed answer. The others write a folder that is complete by itself.
"""

from pathlib import Path
from typing import Protocol

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.deployment.container import Container
from training.deployment.kubernetes import Kubernetes
from training.deployment.local import Local


class Target(Protocol):
    """A place to deploy to."""

    def deploy(self, home: Home, champions: dict[str, str]) -> str:
        """Bring it up to date; what was done, in words."""


def target(told: str | None, home: Home) -> Target | None:
    """``local``, ``local:URL``, ``container:PATH``, ``kubernetes:PATH``, or None.

    Raises:
        InputError: it is none of them.
    """
    if told is None:
        return None
    kind, _, rest = told.partition(":")
    if kind == "local":
        return Local(rest or None)
    if kind in ("container", "kubernetes") and rest:
        return Container(Path(rest)) if kind == "container" else Kubernetes(Path(rest))
    raise InputError(
        expected="a deployment target: local, local:URL, container:PATH or kubernetes:PATH",
        found=repr(told),
        next_command="python -m training lifecycle --help",
    )
