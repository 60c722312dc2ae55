"""A temporal convolutional network, computed by numpy: residual blocks of dilated convolutions.

The architecture is that of Davies and Böck, Temporal convolutional networks for musical audio beat tracking (EUSIPCO
2019). ``training.models.audio.beat_tracking.fit`` trains it.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from transforms.pure import npz

TAPS = 5
Weights = Mapping[str, np.ndarray]


def load(file: Path) -> Weights:
    """Read weights in half precision."""
    return {name: array.astype(np.float32) for name, array in npz.unpack(file.read_bytes()).items()}


def log_odds(inputs: np.ndarray, weights: Weights) -> np.ndarray:
    """Compute a network.

    Args:
        inputs: (n, inputs) rows that follow each other.
        weights: arrays by name, (taps, inputs, outputs) and biases; the dilation of each ``wide`` layer is twice that
            of the one before it.

    Returns:
        (n, outputs) float32 log odds.
    """
    hidden = _elu(_convolve(inputs, weights["first"], weights["first_bias"]))
    hidden = _elu(_convolve(hidden, weights["second"], weights["second_bias"]))
    number = 0
    while f"wide_{number}" in weights:
        wide = _elu(_convolve(hidden, weights[f"wide_{number}"], weights[f"wide_bias_{number}"], 2**number))
        hidden = hidden + wide @ weights[f"mix_{number}"] + weights[f"mix_bias_{number}"]
        number += 1
    return np.asarray(_elu(hidden) @ weights["last"] + weights["last_bias"], np.float32)


def _convolve(rows: np.ndarray, kernel: np.ndarray, bias: np.ndarray, dilation: int = 1) -> np.ndarray:
    """(n, outputs) convolution in time of (n, inputs) rows; zeros lie beyond both ends."""
    reach = len(kernel) // 2 * dilation
    padded = np.pad(rows, ((reach, reach), (0, 0)))
    taps = [padded[tap * dilation : tap * dilation + len(rows)] for tap in range(len(kernel))]
    return np.concatenate(taps, axis=1) @ kernel.reshape(-1, kernel.shape[2]) + bias


def _elu(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0)))
