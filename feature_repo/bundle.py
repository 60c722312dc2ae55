"""Reads model bundles from disk, for serving and for batch runs whose features come from a model.

A bundle is a folder with ``manifest.json`` (the model, its inputs, and digests of the other files), written once by
``training.bundle``. ``aliases.json``, beside the versions of a model, names the champion.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.encryption.bundle_files import check_manifest, read_file
from feature_repo.errors import BundleError, NotPromoted
from feature_repo.home import Home
from feature_repo.project import Project
from feature_repo.signing.bundles import read_signed, verify_bundle
from feature_repo.signing.champions import verify_champion

MANIFEST, ALIASES, CHAMPION = "manifest.json", "aliases.json", "champion"
GOLDEN = "golden.npz"
"""File with inputs and outputs of the model at training time, for checks; optional in a bundle."""
BACKGROUND = "background.npz"
"""File with the rows that explain the model, and what explains them; optional in a bundle."""


@dataclass(frozen=True)
class Bundle:
    """A model bundle whose files match their registered digests.

    Attributes:
        folder: folder of the bundle.
        manifest: content of ``manifest.json``.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name_version(self) -> str:
        """Name and version, such as ``recommendation:3``."""
        return f"{self.manifest['name']}:{self.manifest['version']}"

    @property
    def inputs(self) -> list[str]:
        """Names of the model's input columns, in order."""
        return [name for name, _ in self.manifest["inputs"]]

    @property
    def digest(self) -> str:
        """Digest of all files of the bundle."""
        return hashlib.sha256(json.dumps(self.manifest["files"], sort_keys=True).encode()).hexdigest()

    def read(self, name: str) -> bytes:
        """Reads one file of the bundle, opened if it is sealed, with the content that was checked when it was opened.

        Raises:
            BundleError: the file was changed since.
            EncryptionError: its key is not there, or it was changed so that it does not open.
        """
        content = read_file(self.folder, name)
        if self.manifest["files"].get(name) not in (None, hashlib.sha256(content).hexdigest()):
            raise _changed(self.manifest, self.folder, name)
        return content


def open_bundle(name: str, home: Home) -> Bundle:
    """Opens the champion or a given version of a model.

    Args:
        name: ``recommendation`` for the champion, ``recommendation:3`` or ``recommendation_v3.0`` for version 3.
        home: the data folder.

    Raises:
        BundleError: the bundle is damaged.
        SignatureError: keys are pinned, and the bundle or its promotion is not signed as it has to be.
        EncryptionError: it is sealed, and was changed, or its key is not there.
        NotPromoted: the model has no champion.
    """
    home.check_layout()
    model, version = name_and_version(name)
    version = version or champion(home, model)
    folder = home.bundles(model) / version
    signed = verify_bundle(folder, home, model, version)
    manifest = _manifest(folder, home, model)
    check_manifest(folder, list(manifest["files"]))
    for file, digest in manifest["files"].items():
        if digest != (_digest(folder, file) if signed is None else signed.get(file)):
            raise _changed(manifest, folder, file)
    return Bundle(folder, manifest)


def name_and_version(name: str) -> tuple[str, str]:
    """Splits a name into model and version; the version is empty for the champion.

    >>> name_and_version("system_anomaly_detector_v1.0"), name_and_version("recommendation:3")
    (('system_anomaly_detector', '1'), ('recommendation', '3'))
    """
    match = re.fullmatch(r"(.+)_v(\d+)(?:\.\d+)?", name)
    if match:
        return match[1], match[2]
    model, _, version = name.partition(":")
    return model, version


def is_promoted(home: Home, model: str) -> bool:
    """Whether there is a version to serve: the one that ``NAME:VERSION`` names, or a champion of ``NAME``.

    Raises:
        SignatureError: keys are pinned, and the promotion is not signed as it has to be.
    """
    name, version = name_and_version(model)
    if version:
        return True
    try:
        champion(home, name)
    except NotPromoted:
        return False
    return True


def promoted_models(home: Home, kind: str) -> dict[str, str]:
    """Returns name → version of the champions of one kind of bundles; damaged ones are left out.

    Args:
        home: the data folder.
        kind: as bundles have it in their manifests, such as ``tabular``.
    """
    promoted = {}
    for folder in sorted(home.bundles("any").parent.glob("*")):
        try:
            version = champion(home, folder.name)
            if _manifest(folder / version, home, folder.name).get("extra", {}).get("kind") == kind:
                promoted[folder.name] = version
        except BundleError:
            continue
    return promoted


def champion(home: Home, model: str) -> str:
    """Returns the version of the champion.

    Raises:
        NotPromoted: the model has no champion.
        SignatureError: keys are pinned, and the promotion is not signed as it has to be.
    """
    try:
        content = (home.bundles(model) / ALIASES).read_bytes()
        verify_champion(content, home, model)
        return str(json.loads(content)[CHAMPION])
    except (FileNotFoundError, NotADirectoryError, KeyError, ValueError) as error:
        raise NotPromoted(
            expected=f"a champion of {model!r}",
            found="none promoted",
            next_command=f"refrain model run {model} && refrain model promote {model}"
            if home.bundles(model).exists() or Project.load(home.project_folder).has_music
            else "refrain model list --all",
        ) from error


def _digest(folder: Path, file: str) -> str | None:
    return hashlib.sha256(read_file(folder, file)).hexdigest() if (folder / file).is_file() else None


def _changed(manifest: Mapping[str, Any], folder: Path, file: str) -> BundleError:
    model, version = manifest["name"], manifest["version"]
    return BundleError(
        expected=f"the file {file} of {model}:{version} as it was registered",
        found="another content" if (folder / file).is_file() else "no file",
        next_command=f"rm -r '{folder}' && refrain model promote {model} {version}",
    )


def _manifest(folder: Path, home: Home, model: str) -> dict[str, Any]:
    try:
        manifest = json.loads(read_signed(folder, MANIFEST, home, model, folder.name))
        if manifest["name"] != model:
            raise ValueError(f"it is a bundle of {manifest['name']!r}")
        return manifest
    except (OSError, KeyError, ValueError) as error:
        raise BundleError(
            expected=f"a bundle in {folder}",
            found=str(error),
            next_command="refrain model list",
        ) from error
