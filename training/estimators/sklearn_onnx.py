"""Exports scikit-learn estimators as ONNX."""

from typing import Any


def to_onnx(model: Any, width: int) -> bytes:
    """Exports a fitted estimator of rows (n, ``width``) float32; a classifier's last output is (n, classes) chances."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    from training.estimators.base import INPUT

    is_classifier = hasattr(model, "predict_proba")
    options = {id(model): {"zipmap": False}} if is_classifier else None
    onnx_model = convert_sklearn(
        model, name="model", initial_types=[(INPUT, FloatTensorType([None, width]))], options=options
    )
    return bytes(onnx_model.SerializeToString())
