"""Exports ``Heads`` as an ONNX graph: features in; one output per task, and the distance from the training tracks."""

from typing import Any

import numpy as np

from training.models.audio import distance
from training.models.audio.heads import CLIP, Heads

INPUT, DISTANCE = "features", "distance"
OPSET = 18


class _Graph:
    """Nodes and constants of a graph that is being made; both methods return the name of the value."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: object, kind: type = np.float32) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output


def to_onnx(heads: Heads) -> bytes:
    """Return an ONNX model: ``features`` (n, d) float32, NaN if missing → (n, k) per task, and ``distance`` (n,)."""
    from onnx import TensorProto, checker, helper

    graph = _Graph()
    constant, node = graph.constant, graph.node
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
    graph.nodes.append(helper.make_node("Split", [scores, constant("widths", widths, np.int64)], parts, axis=1))
    outputs = []
    for (name, kind, classes), part in zip(heads.tasks, parts, strict=True):
        if kind == "number":
            node("Clip", [part, "zero", constant(f"{name}_one", 1.0)], name)
        else:
            node(
                "Softmax" if kind == "one_of" else "Sigmoid", [part], name, **({"axis": 1} if kind == "one_of" else {})
            )
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, len(classes)]))
    _add_distance(graph, heads)
    outputs.append(helper.make_tensor_value_info(DISTANCE, TensorProto.FLOAT, [None]))

    graph_input = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width])
    content = helper.make_graph(graph.nodes, "audio_heads", [graph_input], outputs, graph.constants)
    model = helper.make_model(content, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _add_distance(graph: _Graph, heads: Heads) -> None:
    """Add the nodes of ``Region.distances``, from the standardized rows and the task whose doubt counts."""
    constant, node = graph.constant, graph.node
    region, axis = heads.region, constant("axis", [1], np.int64)
    offsets = node("Sub", ["rows", constant("middle", region.middle)], "offsets")
    plain = node(
        "ReduceL2",
        [node("MatMul", [offsets, constant("white", region.white)], "white_rows"), axis],
        "plain",
        keepdims=0,
    )
    steepness = distance.STEEPNESS / region.farthest
    far = node(
        "Add",
        [
            node("Mul", [plain, constant("steepness", steepness)], "steep"),
            constant("far_offset", distance.LIMIT - distance.STEEPNESS),
        ],
        "far",
    )
    near = constant("near_offset", region.factors[2])
    if len(region.means):
        white = node("MatMul", [offsets, constant("within", region.within)], "within_rows")
        crossed = node("MatMul", [white, constant("means", -2 * region.means.T)], "crossed_means")
        apart = node("Add", [crossed, constant("mean_squares", (region.means**2).sum(axis=1)[None])], "apart_means")
        nearest = node("ReduceMin", [apart, axis], "nearest", keepdims=0)
        own = node("ReduceSumSquare", [white, axis], "own", keepdims=0)
        total = node("MatMul", [offsets, constant("total", region.total)], "total_rows")
        of_all = node("ReduceSumSquare", [total, axis], "of_all", keepdims=0)
        relative = node("Sub", [node("Add", [nearest, own], "of_nearest"), of_all], "relative")
        near = node("Add", [node("Mul", [relative, constant("relative_factor", region.factors[0])], "r"), near], "near")
    if heads.doubtful:
        logarithms = node("Log", [node("Max", [heads.doubtful, constant("small", distance.SMALL)], "p")], "log_p")
        entropy = node("ReduceSum", [node("Mul", [heads.doubtful, logarithms], "p_log_p"), axis], "sum_p", keepdims=0)
        near = node("Add", [node("Mul", [entropy, constant("doubt_factor", -region.factors[1])], "d"), near], "doubted")
    node("Max", [far, near], DISTANCE)
