"""Loads a promoted model bundle, or says why it cannot."""

from typing import TYPE_CHECKING

import numpy as np

from feature_repo.bundle import Bundle, open_bundle
from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.manifest import load_service

if TYPE_CHECKING:
    import onnxruntime


class OnnxModel:
    """An ONNX model with one input and one output of float32."""

    def __init__(self, content: bytes, threads: int = 1) -> None:
        self._session = onnx_session(content, threads)
        self._input = self._session.get_inputs()[0].name

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Score rows (n, d) float32; returns (n,)."""
        return np.asarray(self._session.run(None, {self._input: inputs})[0], dtype=np.float32).reshape(-1)


def onnx_session(content: bytes, threads: int = 1) -> "onnxruntime.InferenceSession":
    """Open a model as a session of ONNX Runtime on the CPU that logs errors only."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def load_bundle(name: str, home: Home | None = None) -> Bundle:
    """Open the champion of a model, or a named version of it, if it fits the online features.

    Args:
        name: ``recommendation`` for the champion, ``recommendation:3`` or ``recommendation_v3.0`` for version 3.
        home: the data folder; from the environment if None.

    Raises:
        BundleError: nothing is promoted, the bundle is damaged, or the model was trained on other features than those
            online.
    """
    home = home or Home.from_env()
    bundle = open_bundle(name, home)
    manifest = bundle.manifest
    if not manifest["feature_service"]:  # a model that only makes features
        return bundle
    fingerprints = {manifest["feature_service"]: manifest["fingerprint"]}
    if "real_time" in manifest["extra"]:
        fingerprints[manifest["extra"]["real_time"]["service"]] = manifest["extra"]["real_time"]["fingerprint"]
    for service_name, fingerprint in fingerprints.items():
        service = load_service(home, service_name)
        if service.fingerprint != fingerprint:
            model = manifest["name"]
            raise BundleError(
                expected=f"a model trained on {service.name} as it is online (fingerprint {service.fingerprint})",
                found=f"{model}:{manifest['version']} was trained on fingerprint {fingerprint}",
                next_command=f"refrain model run {manifest['family']} && refrain model promote {model}",
            )
    return bundle
