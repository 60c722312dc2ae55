"""Fits networks of ``transforms.pure.audio.temporal_network`` with torch (extra ``deep``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.command_line import Progress, silent
from transforms.pure.audio import bar_features, bar_network
from transforms.pure.audio.beat_network import BANDS, DILATIONS, INPUTS
from transforms.pure.audio.temporal_network import TAPS, Weights


@dataclass(frozen=True)
class Architecture:
    """A network, and what a sound may change without another answer.

    Attributes:
        inputs: columns of its inputs.
        outputs: columns of its outputs.
        layers: residual blocks.
        channels: columns between them.
        rises: columns of rises of bands, from 0 up to this one; they may be larger, smaller or missing.
        pitches: columns of pitch classes, which may be transposed.
        dropout: share of the activations that is left out in a step.
    """

    inputs: int
    outputs: int
    layers: int
    channels: int
    rises: int
    pitches: slice
    dropout: float


BEATS = Architecture(INPUTS, 2, len(DILATIONS), 24, BANDS, slice(BANDS, INPUTS), 0.1)
BARS = Architecture(
    bar_features.COLUMNS, 1, bar_network.LAYERS, 32, 3 * bar_features.BANDS // 2, bar_features.CHROMA, 0.2
)


@dataclass(frozen=True)
class Example:
    """One sound.

    Attributes:
        inputs: (n, inputs) rows.
        targets: (n, outputs) float32 probabilities.
        weight: (n,) float32 how much each row counts; 0 where the truth is not known.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class FitRecipe:
    """Training settings of a network.

    Attributes:
        epochs: passes through the sounds.
        batch: sounds per step.
        length: rows of a sound that one step sees; of frames, 50 seconds.
        rate: largest learning rate of the single cycle (L. N. Smith, Super-convergence, 2018).
        noise: standard deviation of noise that is added to the inputs.
        seed: random seed of weights, order and crops.
    """

    epochs: int = 36
    batch: int = 8
    length: int = 2_150
    rate: float = 4e-3
    noise: float = 0.0
    seed: int = 0


def fit(
    examples: Sequence[Example],
    recipe: FitRecipe,
    architecture: Architecture = BEATS,
    *,
    start: Weights | None = None,
    progress: Progress = silent,
) -> dict[str, np.ndarray]:
    """Train a network.

    Args:
        examples: at least ``recipe.batch`` sounds.
        recipe: settings.
        architecture: the network.
        start: weights to go on from; random ones if None.
        progress: callback after each epoch.

    Returns:
        The weights that ``temporal_network.log_odds`` takes, float32.
    """
    import torch
    from torch.nn import functional

    torch.manual_seed(recipe.seed)
    rng, network = np.random.default_rng(recipe.seed), _network(architecture)
    if start is not None:
        _set_weights(network, start)
    steps = recipe.epochs * (len(examples) // recipe.batch)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    for epoch in range(recipe.epochs):
        order, losses = rng.permutation(len(examples)), []
        for first in range(0, len(order) - recipe.batch + 1, recipe.batch):
            chosen = order[first : first + recipe.batch]
            batch = [_crop(examples[number], recipe, architecture, rng) for number in chosen.tolist()]
            rows, wanted, weight = (torch.from_numpy(np.stack(parts)) for parts in zip(*batch, strict=True))
            loss = functional.binary_cross_entropy_with_logits(network(rows), wanted, reduction="none")
            loss = (loss * weight).sum(dim=1).mean()  # of beats and of downbeats together
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        progress(epoch + 1, recipe.epochs, f"loss {np.mean(losses):.4f}")
    return _weights(network)


def _crop(
    example: Example, recipe: FitRecipe, architecture: Architecture, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """A part of a sound, (columns, length) each: transposed, louder or quieter, at times without some bands."""
    length = recipe.length
    count = min(len(example.inputs), length)
    start = int(rng.integers(0, len(example.inputs) - count + 1))
    part = slice(start, start + count)
    rows, bands = example.inputs[part].copy(), architecture.rises
    rows[:, architecture.pitches] = np.roll(rows[:, architecture.pitches], int(rng.integers(12)), axis=1)
    rows[:, :bands] *= rng.uniform(0.7, 1.4)
    if rng.random() < 0.3:
        first = int(rng.integers(0, bands))
        rows[:, first : min(first + int(rng.integers(1, 10)), bands)] = 0
    if recipe.noise:
        rows += rng.normal(0, recipe.noise, rows.shape).astype(np.float32)
    columns = (rows, example.targets[part], example.weight[part, None])
    return tuple(np.pad(values.T, ((0, 0), (0, length - count))) for values in columns)


def _network(architecture: Architecture):  # type: ignore[no-untyped-def]  # a class of torch, which is imported late
    """The network of ``temporal_network.log_odds``, as a torch module on (n, inputs, rows)."""
    import torch
    from torch import nn
    from torch.nn.functional import elu

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            channels, dilations = architecture.channels, [2**layer for layer in range(architecture.layers)]
            self.first = nn.Conv1d(architecture.inputs, channels, 3, padding=1)
            self.second = nn.Conv1d(channels, channels, 3, padding=1)
            self.wide = nn.ModuleList(
                nn.Conv1d(channels, channels, TAPS, dilation=dilation, padding=TAPS // 2 * dilation)
                for dilation in dilations
            )
            self.mix = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in dilations)
            self.last = nn.Conv1d(channels, architecture.outputs, 1)
            self.dropout = nn.Dropout(architecture.dropout)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            hidden = elu(self.second(elu(self.first(rows))))
            for wide, mix in zip(self.wide, self.mix, strict=True):
                hidden = hidden + mix(self.dropout(elu(wide(hidden))))
            return self.last(elu(hidden))

    return Network()


def _weights(network) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    """The weights by the names that ``temporal_network.log_odds`` takes."""
    arrays = {}
    for name, layer in _layers(network).items():
        kernel = layer.weight.detach().numpy().transpose(2, 1, 0)
        arrays[name] = kernel[0] if len(kernel) == 1 else kernel
        arrays[_bias(name)] = layer.bias.detach().numpy()
    return arrays


def _set_weights(network, weights: Weights) -> None:  # type: ignore[no-untyped-def]
    """Give a network the weights that ``_weights`` returned."""
    import torch

    for name, layer in _layers(network).items():
        kernel = weights[name] if weights[name].ndim == 3 else weights[name][None]
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(kernel.transpose(2, 1, 0).copy()))
            layer.bias.copy_(torch.from_numpy(weights[_bias(name)].copy()))


def _layers(network) -> dict:  # type: ignore[no-untyped-def, type-arg]
    layers = {"first": network.first, "second": network.second, "last": network.last}
    layers |= {f"wide_{number}": layer for number, layer in enumerate(network.wide)}
    return layers | {f"mix_{number}": layer for number, layer in enumerate(network.mix)}


def _bias(name: str) -> str:
    """first → first_bias, wide_3 → wide_bias_3."""
    kind, _, number = name.partition("_")
    return f"{kind}_bias_{number}" if number else f"{kind}_bias"
