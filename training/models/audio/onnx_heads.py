"""Exports ``Heads`` as an ONNX graph: features in; one output per task, and the distance from the training tracks."""

from typing import Any

import numpy as np

from training.models.audio.heads import CLIP, Heads

INPUT, DISTANCE = "features", "distance"
OPSET = 18


def to_onnx(heads: Heads) -> bytes:
    """Return an ONNX model: ``features`` (n, d) float32, NaN if missing → (n, k) per task, and ``distance`` (n,)."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, constants = [], []

    def constant(name: str, value: object, kind: type = np.float32) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    width = heads.support.shape[1]
    centred = node("Sub", [INPUT, constant("centre", heads.centre)], "centred")
    scaled = node("Div", [centred, constant("scale", heads.scale)], "scaled")
    filled = node("Where", [node("IsNaN", [scaled], "missing"), constant("zero", 0.0), scaled], "known")
    rows = node("Clip", [filled, constant("low", -CLIP), constant("high", CLIP)], "rows")

    linear = node("Gemm", [rows, constant("weights", heads.linear[:-1]), constant("bias", heads.linear[-1])], "linear")
    ones = constant("ones", np.ones((width, 1)))
    squares = node("MatMul", [node("Mul", [rows, rows], "squared"), ones], "squares")
    cross_products = node("MatMul", [rows, constant("support", -2 * heads.support.T)], "crossed")
    squared_distances = node(
        "Add",
        [
            node("Add", [cross_products, squares], "apart_part"),
            constant("support_squares", (heads.support**2).sum(axis=1)[None]),
        ],
        "apart",
    )
    clipped_distances = node("Max", [squared_distances, "zero"], "apart_whole")
    similarity = node(
        "Exp", [node("Mul", [clipped_distances, constant("width", -heads.width / width)], "exponent")], "likeness"
    )
    dual = node(
        "Gemm", [similarity, constant("dual", heads.dual[:-1]), constant("dual_bias", heads.dual[-1])], "by_kernel"
    )

    mixed_linear = node("Mul", [linear, constant("mix_linear", heads.mix[0])], "mixed_linear")
    mixed_kernel = node("Mul", [dual, constant("mix_kernel", heads.mix[1])], "mixed_kernel")
    scores = node(
        "Add", [node("Add", [mixed_linear, mixed_kernel], "mixed"), constant("mix_offset", heads.mix[2])], "scores"
    )

    widths = [len(classes) for _, _, classes in heads.tasks]
    parts = [f"{name}_scores" for name, _, _ in heads.tasks]
    nodes.append(helper.make_node("Split", [scores, constant("widths", widths, np.int64)], parts, axis=1))
    outputs = []
    for (name, kind, classes), part in zip(heads.tasks, parts, strict=True):
        if kind == "number":
            node("Clip", [part, "zero", constant(f"{name}_one", 1.0)], name)
        else:
            node(
                "Softmax" if kind == "one_of" else "Sigmoid", [part], name, **({"axis": 1} if kind == "one_of" else {})
            )
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, len(classes)]))
    offset_rows = node("Sub", [rows, constant("middle", heads.middle)], "away")
    whitened = node("MatMul", [offset_rows, constant("white", heads.white)], "whitened")
    node("ReduceL2", [whitened, constant("axis", [1], np.int64)], DISTANCE, keepdims=0)
    outputs.append(helper.make_tensor_value_info(DISTANCE, TensorProto.FLOAT, [None]))

    graph_input = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width])
    graph = helper.make_graph(nodes, "audio_heads", [graph_input], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())
