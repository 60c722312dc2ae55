"""Model bundles: the only interface between training and inference.

A folder with ``model.onnx``, the files that retrieval needs, ``manifest.json`` (identity, inputs, metrics and digests
of the other files) and ``README.md``, its description. Written once, read by ``inference.models``.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from feature_repo.bundle import MANIFEST, open_bundle
from feature_repo.encryption.bundle_files import seal_files, write_file
from feature_repo.home import IS_WORKING_COPY, REPOSITORY, Home
from feature_repo.version import version

SAMPLE = "training_sets.npz"
"""File of a bundle: features of sample rows of its training sets (``training.datasets.sample``)."""


@dataclass(frozen=True)
class BundleManifest:
    """``manifest.json`` of a bundle.

    Attributes:
        name: name of the registered model.
        version: version number, from 1.
        family: model family.
        feature_service: feature service of the model; empty if it computes features from raw data.
        fingerprint: fingerprint of that service at training; serving refuses another.
        inputs: name and type of each input column, in order.
        outputs: name and type of each output.
        metrics: metrics on the test, by model.
        training_set: digest of the training set.
        cutoff: end of the training data as ISO 8601; vectors and index use nothing later.
        code_revision: revision or version of the code that trained it.
        files: SHA-256 of every other file.
        extra: further fields of the family.
        refrain: version of the Refrain that made the bundle; empty in bundles of layout 1.
    """

    name: str
    version: int
    family: str
    feature_service: str
    fingerprint: str
    inputs: list[tuple[str, str]]
    outputs: list[tuple[str, str]]
    metrics: dict[str, dict[str, float]]
    training_set: str
    cutoff: str
    code_revision: str
    files: dict[str, str]
    extra: dict[str, Any]
    refrain: str = ""


def write_bundle(folder: Path, files: Mapping[str, bytes], manifest: dict[str, Any]) -> BundleManifest:
    """Writes a bundle's manifest and its files, sealed where encryption is on.

    Args:
        folder: an empty or new folder.
        files: content by name, without the manifest.
        manifest: fields of ``BundleManifest`` without ``files``, ``code_revision`` and ``refrain``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    complete = BundleManifest(**manifest, files=digests, code_revision=code_revision(), refrain=version())
    _write(folder, files, asdict(complete))
    return complete


def amend(folder: Path, files: Mapping[str, bytes]) -> BundleManifest:
    """Adds files to a bundle that is not registered yet, and rewrites its manifest."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] |= {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    _write(folder, files, manifest)
    return BundleManifest(**manifest)


def _write(folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Writes the manifest, which says where sealed files belong, then the files."""
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    for name, content in files.items():
        write_file(folder, name, content)
    seal_files(folder)


def read_champion(home: Home, name: str) -> tuple[Path, BundleManifest]:
    """Returns folder and manifest of the promoted version of a model, for batch work.

    Raises:
        BundleError: nothing is promoted, or it is damaged.
    """
    bundle = open_bundle(name, home)
    return bundle.folder, BundleManifest(**bundle.manifest)


def code_revision() -> str:
    """Git commit of a working copy, with ``+`` if files were changed since; else the version of the package."""
    try:
        if not IS_WORKING_COPY:  # a repository around site-packages is somebody else's
            return f"refrain {version()}"
        commit = _git("rev-parse", "HEAD")
        return commit + ("+" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    call = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()
