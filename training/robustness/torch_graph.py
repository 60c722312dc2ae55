"""Runs an ONNX graph in torch, so that the answers of a served model have gradients (extra ``deep``).

Only the nodes that an output needs are run, and only the operators that our own models export are known: those of
https://onnx.ai/onnx/operators/, as of opset 18.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from feature_repo.extras import install_command
from training.robustness.attack import DoesNotApply


def torch_module() -> Any:
    """Imports torch.

    Raises:
        InputError: it is not installed; the error names the command that installs it.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError(expected="torch", found="it is not installed", next_command=install_command("deep")) from error
    return torch


class TorchGraph:
    """An ONNX model with one input, as a function of tensors.

    Args:
        content: the model.

    Raises:
        InputError: torch is not installed.
    """

    def __init__(self, content: bytes) -> None:
        import onnx
        from onnx import numpy_helper

        self.torch = torch_module()
        graph = onnx.load_model_from_string(content).graph
        constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        self._constants = {name: self.torch.from_numpy(np.array(value)) for name, value in constants.items()}
        self._maker = {output: node for node in graph.node for output in node.output}
        self.input = next(one.name for one in graph.input if one.name not in constants)
        self.outputs = [one.name for one in graph.output]

    def __call__(self, inputs: Any, output: str) -> Any:
        """Computes one output of a batch of inputs.

        Raises:
            DoesNotApply: the graph has an operator without a gradient here, such as trees.
        """
        values: dict[str, Any] = {**self._constants, self.input: inputs}

        def value(name: str) -> Any:
            if not name:
                return None
            if name not in values:
                node = self._maker[name]
                operator = _OPERATORS.get(node.op_type)
                if operator is None:
                    raise DoesNotApply(f"the operator {node.op_type} of the model has no gradient")
                attributes = {one.name: _attribute(one) for one in node.attribute}
                results = operator(self.torch, [value(one) for one in node.input], attributes)
                values.update(zip(node.output, results if isinstance(results, tuple) else (results,), strict=False))
            return values[name]

        return value(output)


def _attribute(attribute: Any) -> Any:
    from onnx import helper, numpy_helper

    value = helper.get_attribute_value(attribute)
    return numpy_helper.to_array(value) if hasattr(value, "raw_data") else value


def _numbers(tensor: Any) -> tuple[int, ...]:
    return tuple(int(one) for one in tensor)


def _axes(inputs: Sequence[Any], attributes: dict[str, Any]) -> tuple[int, ...] | None:
    if len(inputs) > 1 and inputs[1] is not None:
        return _numbers(inputs[1])
    return tuple(attributes["axes"]) if "axes" in attributes else None


def _reduce(apply: Callable[[Any, Any, tuple[int, ...], bool], Any]) -> Callable[..., Any]:
    def run(torch: Any, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
        axes = _axes(inputs, attributes) or tuple(range(inputs[0].dim()))
        return apply(torch, inputs[0], axes, bool(attributes.get("keepdims", 1)))

    return run


def _conv(torch: Any, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
    pads = attributes.get("pads", [0, 0, 0, 0])
    padded = torch.nn.functional.pad(inputs[0], (pads[1], pads[3], pads[0], pads[2]))
    bias = inputs[2] if len(inputs) > 2 else None
    return torch.nn.functional.conv2d(
        padded,
        inputs[1],
        bias,
        stride=tuple(attributes.get("strides", (1, 1))),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=attributes.get("group", 1),
    )


def _max_pool(torch: Any, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
    strides = tuple(attributes.get("strides", attributes["kernel_shape"]))
    return torch.nn.functional.max_pool2d(inputs[0], tuple(attributes["kernel_shape"]), strides)


def _gemm(torch: Any, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
    first = inputs[0].T if attributes.get("transA") else inputs[0]
    second = inputs[1].T if attributes.get("transB") else inputs[1]
    product = attributes.get("alpha", 1.0) * (first @ second)
    return product if len(inputs) < 3 else product + attributes.get("beta", 1.0) * inputs[2]


def _slice(torch: Any, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
    starts, ends = _numbers(inputs[1]), _numbers(inputs[2])
    axes = _numbers(inputs[3]) if len(inputs) > 3 and inputs[3] is not None else tuple(range(len(starts)))
    result = inputs[0]
    for axis, start, end in zip(axes, starts, ends, strict=True):
        size = result.shape[axis]
        first, last = (min(max(one + size if one < 0 else one, 0), size) for one in (start, end))
        result = result.narrow(axis, first, max(last - first, 0))
    return result


def _unsqueeze(torch: Any, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
    result = inputs[0]
    for axis in sorted(_axes(inputs, attributes) or ()):
        result = result.unsqueeze(axis)
    return result


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": lambda torch, x, a: x[0] + x[1],
    "Sub": lambda torch, x, a: x[0] - x[1],
    "Mul": lambda torch, x, a: x[0] * x[1],
    "Div": lambda torch, x, a: x[0] / x[1],
    "MatMul": lambda torch, x, a: x[0] @ x[1],
    "Max": lambda torch, x, a: torch.maximum(x[0], x[1]),
    "Exp": lambda torch, x, a: torch.exp(x[0]),
    "Relu": lambda torch, x, a: torch.relu(x[0]),
    "Sigmoid": lambda torch, x, a: torch.sigmoid(x[0]),
    "Identity": lambda torch, x, a: x[0],
    "IsNaN": lambda torch, x, a: torch.isnan(x[0]),
    "Where": lambda torch, x, a: torch.where(x[0], x[1], x[2]),
    "Clip": lambda torch, x, a: torch.clamp(x[0], x[1], x[2] if len(x) > 2 else None),
    "Softmax": lambda torch, x, a: torch.softmax(x[0], dim=a.get("axis", -1)),
    "Split": lambda torch, x, a: torch.split(x[0], list(_numbers(x[1])), dim=a.get("axis", 0)),
    "Concat": lambda torch, x, a: torch.cat(list(x), dim=a["axis"]),
    "Constant": lambda torch, x, a: torch.from_numpy(np.array(a["value"])),
    "ReduceMean": _reduce(lambda torch, x, axes, keep: x.mean(dim=axes, keepdim=keep)),
    "ReduceMax": _reduce(lambda torch, x, axes, keep: x.amax(dim=axes, keepdim=keep)),
    "ReduceSum": _reduce(lambda torch, x, axes, keep: x.sum(dim=axes, keepdim=keep)),
    "Conv": _conv,
    "MaxPool": _max_pool,
    "Gemm": _gemm,
    "Slice": _slice,
    "Unsqueeze": _unsqueeze,
}
