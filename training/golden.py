"""Golden inputs and outputs, with which serving tests a model before it goes live (``inference.golden``)."""

import io
from collections.abc import Mapping

import numpy as np

ROWS = 32


def golden(examples: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bytes:
    """Serializes inputs (n, d) and outputs (n,) or (n, k) by name of the model, the first ``ROWS`` of each."""
    arrays = {}
    for name, (inputs, outputs) in examples.items():
        arrays[f"{name}__inputs"] = np.asarray(inputs[:ROWS], np.float32)
        arrays[f"{name}__outputs"] = np.asarray(outputs[:ROWS], np.float32)
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()
