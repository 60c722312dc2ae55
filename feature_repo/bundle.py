"""Model bundles on disk, read: by serving, and by batch runs whose features a model makes.

A folder with ``manifest.json`` (what the model is, what it eats, digests of the other files), written once by
``training.bundle``; ``aliases.json`` beside the versions of a model names the promoted one.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.errors import BundleError
from feature_repo.home import Home

MANIFEST, ALIASES, CHAMPION = "manifest.json", "aliases.json", "champion"
GOLDEN = "golden.npz"
"""Questions that a model was asked when it was trained, and its answers; in a bundle that has them."""


@dataclass(frozen=True)
class Bundle:
    """A model bundle whose files are as they were registered.

    Attributes:
        folder: where it lies.
        manifest: its ``manifest.json``.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name_version(self) -> str:
        """As in ``recommendation:3``."""
        return f"{self.manifest['name']}:{self.manifest['version']}"

    @property
    def inputs(self) -> list[str]:
        """Names of the model's input columns, in order."""
        return [name for name, _ in self.manifest["inputs"]]

    @property
    def digest(self) -> str:
        """Of all its files."""
        return hashlib.sha256(json.dumps(self.manifest["files"], sort_keys=True).encode()).hexdigest()

    def read(self, name: str) -> bytes:
        """Content of one of its files."""
        return (self.folder / name).read_bytes()


def open_bundle(name: str, home: Home) -> Bundle:
    """The champion of a model, or a named version of it.

    Args:
        name: ``recommendation`` for the champion, ``recommendation:3`` or ``recommendation_v3.0`` for version 3.
        home: the data folder.

    Raises:
        BundleError: nothing is promoted, or the bundle is damaged.
    """
    model, version = name_and_version(name)
    folder = home.bundles(model) / (version or champion(home, model))
    manifest = _manifest(folder, model)
    for file, digest in manifest["files"].items():
        path = folder / file
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise BundleError(
                expected=f"the file {file} of {model}:{manifest['version']} as it was registered",
                found="another content" if path.is_file() else "no file",
                next_command=f"rm -r '{folder}' && python -m training promote {model} {manifest['version']}",
            )
    return Bundle(folder, manifest)


def name_and_version(name: str) -> tuple[str, str]:
    """Model and version, which is empty for the champion.

    >>> name_and_version("system_anomaly_detector_v1.0"), name_and_version("recommendation:3")
    (('system_anomaly_detector', '1'), ('recommendation', '3'))
    """
    dotted = re.fullmatch(r"(.+)_v(\d+)(?:\.\d+)?", name)
    if dotted:
        return dotted[1], dotted[2]
    model, _, version = name.partition(":")
    return model, version


def champion(home: Home, model: str) -> str:
    """Version of the champion.

    Raises:
        BundleError: nothing is promoted.
    """
    try:
        return str(json.loads((home.bundles(model) / ALIASES).read_text())[CHAMPION])
    except (FileNotFoundError, NotADirectoryError, KeyError, ValueError) as error:
        raise BundleError(
            expected=f"a champion of {model!r}",
            found="none promoted",
            next_command=f"python -m training run {model} && python -m training promote {model}",
        ) from error


def _manifest(folder: Path, model: str) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["name"] != model:
            raise ValueError(f"it is a bundle of {manifest['name']!r}")
        return manifest
    except (OSError, KeyError, ValueError) as error:
        raise BundleError(
            expected=f"a bundle in {folder}",
            found=str(error),
            next_command="python -m training list",
        ) from error
