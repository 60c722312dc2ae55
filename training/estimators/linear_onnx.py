"""Exports a weighted sum as ONNX: columns with a fill value, and weights of missing columns."""

from typing import Any

import numpy as np

from training.estimators.base import INPUT


def weighted_sum(fill: np.ndarray, weights: np.ndarray, absent: np.ndarray, bias: float, chance: bool) -> bytes:
    """Builds the model of a weighted sum in double precision.

    Its input is ``inputs`` (n, d) float32, NaN for missing; its output (n, 1) float32.

    Args:
        fill: (d,) values that replace missing ones.
        weights: (d,) weights of the columns.
        absent: (d,) weights that are added where a column is missing.
        bias: constant that is added to every sum.
        chance: whether the sum is the log-odds of a chance.
    """
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "fill": fill.astype(np.float64),
        "weights": weights.astype(np.float64)[:, None],
        "absent": absent.astype(np.float64)[:, None],
        "bias": np.array([bias], np.float64),
    }
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("IsNaN", [INPUT], "missing", {}),
        ("Cast", [INPUT], "wide", {"to": TensorProto.DOUBLE}),
        ("Where", ["missing", "fill", "wide"], "filled", {}),
        ("MatMul", ["filled", "weights"], "columns", {}),
        ("Cast", ["missing"], "gaps", {"to": TensorProto.DOUBLE}),
        ("MatMul", ["gaps", "absent"], "said", {}),
        ("Add", ["columns", "said"], "both", {}),
        ("Add", ["both", "bias"], "total", {}),
        ("Sigmoid", ["total"], "told", {}) if chance else ("Identity", ["total"], "told", {}),
        ("Cast", ["told"], "answer", {"to": TensorProto.FLOAT}),
    ]
    nodes = [helper.make_node(kind, inputs, [output], **attributes) for kind, inputs, output, attributes in steps]
    input_info = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, len(fill)])
    output_info = helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, 1])
    initializers = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "weighted_sum", [input_info], [output_info], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
