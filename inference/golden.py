"""Golden samples: inputs and outputs recorded in training, with which a model is checked before it serves."""

import io
from collections.abc import Callable

import numpy as np

from feature_repo.bundle import GOLDEN, Bundle
from feature_repo.errors import BundleError

TOLERANCE = 1e-3


def check(bundle: Bundle, name: str, answer: Callable[[np.ndarray], np.ndarray]) -> None:
    """Compare a model's outputs with those recorded in training; a bundle without golden samples passes.

    Args:
        bundle: a bundle that may hold ``golden.npz``.
        name: name of the model in the bundle.
        answer: the model: (n, d) float32 → (n,) or (n, k).

    Raises:
        BundleError: the outputs differ.
    """
    if GOLDEN not in bundle.manifest["files"]:
        return
    with np.load(io.BytesIO(bundle.read(GOLDEN)), allow_pickle=False) as samples:
        inputs, expected = samples[f"{name}__inputs"], samples[f"{name}__outputs"]
    outputs = answer(inputs)
    if outputs.shape != expected.shape or not np.allclose(outputs, expected, atol=TOLERANCE, rtol=TOLERANCE):
        raise BundleError(
            expected=f"the same outputs of {name} in {bundle.name_version} as in training",
            found="different outputs, with the ONNX runtime that is installed here",
            next_command=f"python -m training run {bundle.manifest['name']}",
        )
