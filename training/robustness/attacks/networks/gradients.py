"""Gradients of the loss of a served graph."""

from typing import Any

import numpy as np

from training.robustness.attack import DoesNotApply
from training.robustness.target import Target
from training.robustness.torch_graph import TorchGraph


def graph_of(target: Target[Any]) -> tuple[TorchGraph, str]:
    """Returns the graph of a target and the name of the output with its scores.

    Raises:
        DoesNotApply: the model has no graph with a gradient.
        InputError: torch is not installed.
    """
    content = target.extra.get("graph")
    if content is None:
        raise DoesNotApply("the model has no gradient")
    graph = TorchGraph(content)
    return graph, target.extra.get("output") or graph.outputs[0]


def loss_of(graph: TorchGraph, output: str, inputs: Any, labels: Any) -> Any:
    """Computes the summed log loss of a batch: −log of the share that the right class has of the scores."""
    scores = graph(inputs, output)
    right = scores.gather(1, labels[:, None])[:, 0].clamp(min=1e-12)
    return -right.log().sum()


def gradient(graph: TorchGraph, output: str, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the gradient of the loss by the inputs, of their shape; 0 for missing values."""
    torch = graph.torch
    tensor = torch.from_numpy(np.asarray(inputs, np.float32)).requires_grad_(True)
    loss = loss_of(graph, output, tensor, torch.from_numpy(np.asarray(labels, np.int64)))
    (result,) = torch.autograd.grad(loss, tensor)
    return np.nan_to_num(result.numpy())
