"""scikit-learn to ONNX."""

from typing import Any


def to_onnx(model: Any, width: int) -> bytes:
    """A fitted estimator of rows (n, ``width``) float32; a classifier's last output is (n, classes) chances."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    from training.estimators.base import INPUT

    classifies = hasattr(model, "predict_proba")
    options = {id(model): {"zipmap": False}} if classifies else None
    found = convert_sklearn(model, initial_types=[(INPUT, FloatTensorType([None, width]))], options=options)
    return bytes(found.SerializeToString())
