"""Ownership of keys in the embedded Redis: one registry per project name.

The data folder determines the server, and keys start with the project's name. Two Feast repositories with one project
name would therefore overwrite each other's values and erase them with ``feast teardown``. The first repository that
opens the server owns its project's keys, until its registry is deleted or the keys are released. A registry inside the
data folder is identified by the folder, so that a copied or moved folder owns its own keys.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.urls import sqlite_file
from feature_repo.whole_files import write_whole

if TYPE_CHECKING:
    from feast import RepoConfig

HERE = "."
"""Owner of keys whose registry lies in the data folder."""

OWNERS = "owners.json"
"""File in the folder of the embedded Redis: project → registry."""


def claim(home: Home, config: "RepoConfig") -> None:
    """Claims the keys of a configuration's project.

    Args:
        home: the data folder of the server.
        config: configuration of the repository that opens the server.

    Raises:
        StoreError: another existing registry owns the keys of a project with this name.
        HomeError: the data folder cannot be written.
    """
    owner = _owner(home, config)
    if owner is None or _read_owners(home).get(config.project) == owner:
        return
    home.ensure().redis.mkdir(exist_ok=True)
    with _lock(home):
        owners = _read_owners(home)
        current_owner = owners.get(config.project)
        if current_owner not in (None, owner) and _exists(home, str(current_owner)):
            raise StoreError(
                expected=f"{_owner_text(home, owner)} to own the keys of project {config.project!r} in {home.redis}",
                found=f"{_owner_text(home, str(current_owner))} owns them",
                next_command="export REFRAIN_HOME=/a/folder/of/its/own, or give the project another name; "
                f"to take the keys over: refrain redis release {config.project}",
            )
        _write(home, {**owners, config.project: owner})


def release(home: Home, project: str) -> bool:
    """Releases a project's keys to the next repository that opens the server. Returns whether they had an owner."""
    if not home.redis.is_dir():
        return False
    with _lock(home):
        owners = _read_owners(home)
        owner = owners.pop(project, None)
        _write(home, owners)
    return owner is not None


def _owner(home: Home, config: "RepoConfig") -> str | None:
    """Returns the owner: ``HERE`` for a registry in the data folder, else its path, or its URL without credentials."""
    address = str(config.registry.path or "")
    if address in ("", ":memory:"):
        return None
    if address.startswith(("sqlite:", "sqlite+")):
        file = sqlite_file(address)
        if file is None:
            return None
        path = file
    elif "://" in address:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    else:
        path = Path(config.repo_path or "") / address
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(home.root))
    return HERE if real.is_relative_to(root) else str(real)


def _exists(home: Home, owner: str) -> bool:
    return "://" in owner or (home.root / owner).exists()


def _owner_text(home: Home, owner: str) -> str:
    return f"the data folder {home.root}" if owner == HERE else f"the registry {owner}"


def _read_owners(home: Home) -> dict[str, str]:
    try:
        return dict(json.loads((home.redis / OWNERS).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _write(home: Home, owners: dict[str, str]) -> None:
    write_whole(home.redis / OWNERS, json.dumps(owners, indent=1) + "\n")


@contextmanager
def _lock(home: Home) -> Iterator[None]:
    with (home.redis / "owners.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
