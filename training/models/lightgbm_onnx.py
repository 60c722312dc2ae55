"""Converts LightGBM boosters to ONNX, and predicts with the result."""

import re
from typing import Any

import numpy as np


def to_onnx(booster: Any) -> bytes:
    """Convert a LightGBM regression or ranking: input ``features`` (n, d) float32, output scores (n, 1) float32."""
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    width = booster.num_feature()
    # the converter does not support the absolute error; its trees add up like those of any regression
    text = booster.model_to_string()
    regression = lightgbm.Booster(
        model_str=re.sub(r"\nobjective=regression_l1\b[^\n]*", "\nobjective=regression", text)
    )
    model = convert_lightgbm(
        regression,
        name="booster",  # a name of its own would be drawn, and equal boosters would have other bytes
        initial_types=[("features", FloatTensorType([None, width]))],
        zipmap=False,
    )
    return model.SerializeToString()


class OnnxBooster:
    """A booster converted to ONNX; its predictions are those of the booster.

    Args:
        content: ONNX model from ``to_onnx``.
    """

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def predict(self, inputs: np.ndarray, **_: Any) -> np.ndarray:
        """Return (n,) values, or probabilities of the positive class, of rows (n, d) float32."""
        if not len(inputs):
            return np.zeros(0)
        outputs = self._session.run(None, {self._input: np.ascontiguousarray(inputs, np.float32)})
        return np.asarray(outputs[1][:, 1] if len(outputs) > 1 else outputs[0], np.float64).reshape(-1)
