"""Golden answers: inputs of a model with its outputs in training, checked again before the model serves."""

from collections.abc import Callable

import numpy as np

from feature_repo.bundle import GOLDEN, Bundle
from feature_repo.errors import BundleError
from transforms.pure import npz

TOLERANCE = 1e-3


def check(bundle: Bundle, name: str, predict: Callable[[np.ndarray], np.ndarray]) -> None:
    """Check that a model of a bundle answers as in training. A bundle without ``golden.npz`` passes.

    Args:
        bundle: bundle of the model.
        name: name of the model in the bundle.
        predict: function of the model, (n, d) float32 → (n,) or (n, k).

    Raises:
        BundleError: the outputs differ from those in training.
    """
    if GOLDEN not in bundle.manifest["files"]:
        return
    golden = npz.unpack(bundle.read(GOLDEN))
    inputs, expected = golden[f"{name}__inputs"], golden[f"{name}__outputs"]
    outputs = predict(inputs)
    if outputs.shape != expected.shape or not np.allclose(outputs, expected, atol=TOLERANCE, rtol=TOLERANCE):
        raise BundleError(
            expected=f"{name} in {bundle.name_version} to answer as in training",
            found="different answers with the installed ONNX Runtime",
            next_command=f"refrain model run {bundle.manifest['name']}",
        )
