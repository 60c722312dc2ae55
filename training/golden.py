"""Golden inputs and outputs, with which serving tests a model before it goes live (``inference.golden``)."""

from collections.abc import Mapping

import numpy as np

from transforms.pure import npz

ROWS = 32


def golden(examples: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bytes:
    """Serializes inputs (n, d) and outputs (n,) or (n, k) by name of the model, the first ``ROWS`` of each."""
    arrays = {}
    for name, (inputs, outputs) in examples.items():
        arrays[f"{name}__inputs"] = np.asarray(inputs[:ROWS], np.float32)
        arrays[f"{name}__outputs"] = np.asarray(outputs[:ROWS], np.float32)
    return npz.pack(arrays, compressed=False)
