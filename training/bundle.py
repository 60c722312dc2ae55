"""Model bundles: the one thing that training hands to inference.

A folder with ``model.onnx``, the files that retrieval needs, ``manifest.json`` (what it is, what it eats, how good it
was, digests of the other files) and ``README.md``, its card. Written once, read by ``inference.models``.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from feature_repo.bundle import MANIFEST, open_bundle
from feature_repo.home import REPOSITORY, Home

BACKGROUND = "background.npz"
"""Of a bundle: rows of the test that it is explained by: ``inputs``, and what each column contributed."""
SAMPLE = "training_sets.npz"
"""Of a bundle: features of some rows of what it learned from (``training.datasets.sample``)."""


@dataclass(frozen=True)
class BundleManifest:
    """``manifest.json`` of a bundle.

    Attributes:
        name: of the registered model.
        version: counted up from 1.
        family: model family.
        feature_service: that the model eats; empty if it makes features of raw data.
        fingerprint: of that service when the model was trained; serving refuses another.
        inputs: name and type of each input column, in order.
        outputs: name and type of each output.
        metrics: measured on test, by model.
        training_set: digest of the training set.
        cutoff: ISO 8601; the vectors and the index know nothing later.
        code_revision: of the code that trained it.
        files: SHA-256 of every other file.
        extra: what the family needs besides.
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


def write_bundle(folder: Path, files: Mapping[str, bytes], manifest: dict[str, Any]) -> BundleManifest:
    """Write a bundle's files and its manifest, the manifest last.

    Args:
        folder: an empty or new folder.
        files: content by name, without the manifest.
        manifest: fields of ``BundleManifest`` without ``files`` and ``code_revision``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    complete = BundleManifest(**manifest, files=digests, code_revision=code_revision())
    (folder / MANIFEST).write_text(json.dumps(asdict(complete), indent=1) + "\n")
    return complete


def amend(folder: Path, files: Mapping[str, bytes]) -> BundleManifest:
    """Add files to a bundle that is not registered yet; the manifest is written anew."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    told = json.loads((folder / MANIFEST).read_text())
    told["files"] |= {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    (folder / MANIFEST).write_text(json.dumps(told, indent=1) + "\n")
    return BundleManifest(**told)


def read_champion(home: Home, name: str) -> tuple[Path, BundleManifest]:
    """Folder and manifest of the promoted version of a model, for work in batches.

    Raises:
        BundleError: nothing is promoted, or it is damaged.
    """
    bundle = open_bundle(name, home)
    return bundle.folder, BundleManifest(**bundle.manifest)


def code_revision() -> str:
    """Git commit of the code, with ``+`` if files were changed since; ``unknown`` outside a checkout."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    call = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()
