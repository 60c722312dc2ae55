"""LightGBM to ONNX, and what became of it asked in the booster's place."""

import re
from typing import Any

import numpy as np


def to_onnx(booster: Any) -> bytes:
    """A LightGBM regression or ranking as ONNX: input ``features`` (n, d) float32, output scores (n, 1) float32."""
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    width = booster.num_feature()
    # the converter knows no absolute error, whose trees add up as those of any regression
    text = booster.model_to_string()
    plain = lightgbm.Booster(model_str=re.sub(r"\nobjective=regression_l1\b[^\n]*", "\nobjective=regression", text))
    model = convert_lightgbm(plain, initial_types=[("features", FloatTensorType([None, width]))], zipmap=False)
    return model.SerializeToString()


class OnnxBooster:
    """An ONNX model of a booster; predicts as that did.

    Args:
        content: of ``to_onnx``.
    """

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def predict(self, inputs: np.ndarray, **_: Any) -> np.ndarray:
        """(n,) of rows (n, d) float32: values, or the probability of a yes."""
        if not len(inputs):
            return np.zeros(0)
        found = self._session.run(None, {self._input: np.ascontiguousarray(inputs, np.float32)})
        return np.asarray(found[1][:, 1] if len(found) > 1 else found[0], np.float64).reshape(-1)
