"""Questions to a model, and what it answered when it was trained: asked again before it serves."""

import io
from collections.abc import Callable

import numpy as np

from feature_repo.bundle import GOLDEN, Bundle
from feature_repo.errors import BundleError

TOLERANCE = 1e-3


def check(bundle: Bundle, name: str, answer: Callable[[np.ndarray], np.ndarray]) -> None:
    """Ask a model of a bundle what it was asked in training; a bundle without such questions passes.

    Args:
        bundle: that may hold ``golden.npz``.
        name: of the model in it.
        answer: (n, d) float32 → (n,) or (n, k).

    Raises:
        BundleError: it answers otherwise.
    """
    if GOLDEN not in bundle.manifest["files"]:
        return
    with np.load(io.BytesIO(bundle.read(GOLDEN)), allow_pickle=False) as told:
        asked, expected = told[f"{name}__inputs"], told[f"{name}__outputs"]
    found = answer(asked)
    if found.shape != expected.shape or not np.allclose(found, expected, atol=TOLERANCE, rtol=TOLERANCE):
        raise BundleError(
            expected=f"of {name} in {bundle.name_version} the answers that it gave when it was trained",
            found="others, with the ONNX runtime that is installed here",
            next_command=f"python -m training run {bundle.manifest['name']}",
        )
