"""``Heads`` as an ONNX graph: features in; an output a task, and how far a sound is from what was learned from."""

from typing import Any

import numpy as np

from training.models.audio.heads import CLIP, Heads

INPUT, DISTANCE = "features", "distance"
OPSET = 18


def to_onnx(heads: Heads) -> bytes:
    """Input ``features`` (n, d) float32, NaN for what is missing; outputs (n, k) by task, ``distance`` (n,)."""
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
    known = node("Where", [node("IsNaN", [scaled], "missing"), constant("zero", 0.0), scaled], "known")
    rows = node("Clip", [known, constant("low", -CLIP), constant("high", CLIP)], "rows")

    linear = node("Gemm", [rows, constant("weights", heads.linear[:-1]), constant("bias", heads.linear[-1])], "linear")
    ones = constant("ones", np.ones((width, 1)))
    squares = node("MatMul", [node("Mul", [rows, rows], "squared"), ones], "squares")
    doubled = node("MatMul", [rows, constant("support", -2 * heads.support.T)], "crossed")
    apart = node(
        "Add",
        [
            node("Add", [doubled, squares], "apart_part"),
            constant("support_squares", (heads.support**2).sum(axis=1)[None]),
        ],
        "apart",
    )
    whole = node("Max", [apart, "zero"], "apart_whole")
    likeness = node("Exp", [node("Mul", [whole, constant("width", -heads.width / width)], "exponent")], "likeness")
    dual = node(
        "Gemm", [likeness, constant("dual", heads.dual[:-1]), constant("dual_bias", heads.dual[-1])], "by_kernel"
    )

    first = node("Mul", [linear, constant("mix_linear", heads.mix[0])], "mixed_linear")
    second = node("Mul", [dual, constant("mix_kernel", heads.mix[1])], "mixed_kernel")
    scores = node("Add", [node("Add", [first, second], "mixed"), constant("mix_offset", heads.mix[2])], "scores")

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
    away = node("Sub", [rows, constant("middle", heads.middle)], "away")
    whitened = node("MatMul", [away, constant("white", heads.white)], "whitened")
    node("ReduceL2", [whitened, constant("axis", [1], np.int64)], DISTANCE, keepdims=0)
    outputs.append(helper.make_tensor_value_info(DISTANCE, TensorProto.FLOAT, [None]))

    given = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width])
    graph = helper.make_graph(nodes, "audio_heads", [given], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())
