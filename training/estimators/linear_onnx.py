"""A weighted sum as ONNX: columns with their fill, and what a missing one says."""

from typing import Any

import numpy as np

from training.estimators.base import INPUT


def weighted_sum(fill: np.ndarray, weights: np.ndarray, absent: np.ndarray, bias: float, chance: bool) -> bytes:
    """Input ``inputs`` (n, d) float32, NaN for missing; output (n, 1) float32. Summed in double precision.

    Args:
        fill: (d,) what a missing value is taken for.
        weights: (d,) of the columns.
        absent: (d,) what is added where a column is missing.
        bias: added to all.
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
    nodes = [helper.make_node(kind, inputs, [output], **more) for kind, inputs, output, more in steps]
    given = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, len(fill)])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, 1])
    initial = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "weighted_sum", [given], [answer], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
