"""LightGBM to ONNX."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lightgbm


def to_onnx(booster: "lightgbm.Booster") -> bytes:
    """A regression or ranking as ONNX: input ``features`` (n, d) float32, output scores (n, 1) float32."""
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    width = booster.num_feature()
    model = convert_lightgbm(booster, initial_types=[("features", FloatTensorType([None, width]))], zipmap=False)
    return model.SerializeToString()
