"""Load a promoted model bundle, or say why not."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.manifest import load_service

if TYPE_CHECKING:
    pass

MANIFEST, ALIASES, CHAMPION = "manifest.json", "aliases.json", "champion"


@dataclass(frozen=True)
class Bundle:
    """A model bundle that fits the features online.

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

    def read(self, name: str) -> bytes:
        """Content of one of its files."""
        return (self.folder / name).read_bytes()

    def session(self) -> "OnnxModel":
        """Its ``model.onnx``, ready to run."""
        return OnnxModel(self.read("model.onnx"))


class OnnxModel:
    """An ONNX model with one input and one output of float32."""

    def __init__(self, content: bytes, threads: int = 1) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session: onnxruntime.InferenceSession = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Scores (n,) of rows (n, d) float32."""
        return np.asarray(self._session.run(None, {self._input: inputs})[0], dtype=np.float32).reshape(-1)


def load_bundle(name: str, home: Home | None = None) -> Bundle:
    """The champion of a model, or a named version of it.

    Args:
        name: ``recommendation`` for the champion, ``recommendation:3`` or ``recommendation_v3.0`` for version 3.
        home: the data folder; from the environment if None.

    Raises:
        BundleError: nothing is promoted, the bundle is damaged, or it was trained on other features than those
            online.
    """
    home = home or Home.from_env()
    model, version = name_and_version(name)
    folder = home.bundles(model) / (version or _champion(home, model))
    manifest = _manifest(folder, model)
    for file, digest in manifest["files"].items():
        path = folder / file
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise BundleError(
                expected=f"the file {file} of {model}:{manifest['version']} as it was registered",
                found="another content" if path.is_file() else "no file",
                next_command=f"rm -r '{folder}' && python -m training promote {model} {manifest['version']}",
            )
    service = load_service(home, manifest["feature_service"])
    if service.fingerprint != manifest["fingerprint"]:
        raise BundleError(
            expected=f"a model trained on {service.name} as it is online (fingerprint {service.fingerprint})",
            found=f"{model}:{manifest['version']} was trained on fingerprint {manifest['fingerprint']}",
            next_command=f"python -m training run {manifest['family']} && python -m training promote {model}",
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


def _champion(home: Home, model: str) -> str:
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
