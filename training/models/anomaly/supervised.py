"""A supervised head for labelled incidents: boosted trees on the rows that the unsupervised part scores."""

import re

import numpy as np

from transforms.pure.anomaly.calibration import Calibration

FEWEST = 3
"""Minimum number of labelled incidents."""
TREES, LEAVES, RATE = 150, 15, 0.05


def fit_head(matrix: np.ndarray, labels: np.ndarray, seed: int = 0) -> bytes:
    """Fit an ONNX model to rows (n, d) with labels (n,); its score is the log-odds of a label."""
    import lightgbm

    from training.models.lightgbm_onnx import to_onnx

    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "learning_rate": RATE,
        "min_data_in_leaf": 10,
        "feature_fraction": 0.5,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
        "deterministic": True,
    }
    data = lightgbm.Dataset(matrix.astype(np.float32), labels.astype(np.float64), free_raw_data=True)
    text = lightgbm.train(parameters, data, num_boost_round=TREES).model_to_string()
    # a regression returns the log-odds themselves, which still differ where probabilities round to 1
    regression = re.sub(r"objective(=|: )binary\b[^\n\]]*", r"objective\1regression", text)
    return to_onnx(lightgbm.Booster(model_str=regression))


def calibrated(content: bytes, normal: np.ndarray) -> Calibration:
    """Calibrate the head's scores on normal rows (n, d) that were not in its fit."""
    from training.models.lightgbm_onnx import OnnxBooster

    return Calibration.fit(np.asarray(OnnxBooster(content).predict(normal.astype(np.float32)), np.float64))
