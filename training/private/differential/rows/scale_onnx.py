"""Exports the scales of columns as ONNX, in front of a model of scaled columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.estimators.base import INPUT
from training.private.differential.rows.column_ranges import Scale

SCALED = "scaled"


def with_scales(scales: Sequence[Scale], content: bytes) -> bytes:
    """Puts the scales before a model.

    Args:
        scales: scale of each column.
        content: ONNX model whose only input (n, d) float32 has scaled columns, NaN for missing.

    Returns:
        ONNX model whose input ``inputs`` (n, d) float32 has the columns as they are.
    """
    import onnx
    from onnx import compose

    model = onnx.load_from_string(content)
    version = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    first = _scaling(scales, version, model.ir_version)
    whole = compose.merge_models(first, model, io_map=[(SCALED, model.graph.input[0].name)], prefix2="model_")
    return bytes(whole.SerializeToString())


def _scaling(scales: Sequence[Scale], opset: int, ir_version: int) -> Any:
    """The model of the scales, in double precision: ``inputs`` to ``scaled``, (n, d) float32."""
    from onnx import TensorProto, helper, numpy_helper

    logarithmic = np.array([scale.unit > 0 for scale in scales], bool)
    ends = np.array([scale.ends for scale in scales], np.float64).reshape(len(scales), 2)
    half = (ends[:, 1] - ends[:, 0]) / 2
    constants = {
        "low": np.array([scale.low for scale in scales], np.float64),
        "high": np.array([scale.high for scale in scales], np.float64),
        "unit": np.array([scale.unit or 1.0 for scale in scales], np.float64),
        "is_log": logarithmic,
        "middle": ends.mean(axis=1),
        "half": np.where(half > 0, half, 1.0),
        "zero": np.array(0.0),
        "one": np.array(1.0),
        "none": np.array(np.nan),
    }
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("IsNaN", [INPUT], "missing", {}),
        ("Cast", [INPUT], "wide", {"to": TensorProto.DOUBLE}),
        ("Where", ["missing", "zero", "wide"], "filled", {}),
        ("Max", ["filled", "low"], "above", {}),
        ("Min", ["above", "high"], "cut", {}),
        ("Abs", ["cut"], "size", {}),
        ("Div", ["size", "unit"], "units", {}),
        ("Add", ["units", "one"], "more", {}),
        ("Log", ["more"], "logarithm", {}),
        ("Sign", ["cut"], "sign", {}),
        ("Mul", ["sign", "logarithm"], "signed", {}),
        ("Where", ["is_log", "signed", "cut"], "place", {}),
        ("Sub", ["place", "middle"], "distance", {}),
        ("Div", ["distance", "half"], "known", {}),
        ("Where", ["missing", "none", "known"], "double", {}),
        ("Cast", ["double"], SCALED, {"to": TensorProto.FLOAT}),
    ]
    nodes = [helper.make_node(kind, inputs, [output], **attributes) for kind, inputs, output, attributes in steps]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, len(scales)]) for name in (INPUT, SCALED)]
    initializers = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "scales", shapes[:1], shapes[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
