"""Fits the network of ``transforms.pure.audio.beat_network`` with torch (extra ``deep``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.command_line import Progress, silent
from transforms.pure.audio.beat_network import BANDS, DILATIONS, FRAMES_A_SECOND, INPUTS, TAPS

CHANNELS = 24


@dataclass(frozen=True)
class Example:
    """One sound: (n, ``INPUTS``) inputs, times of its beats in seconds, and their positions in the bar."""

    inputs: np.ndarray
    beats: np.ndarray
    places: np.ndarray

    def targets(self) -> np.ndarray:
        """(n, 2) float32: 1 at a beat and at a downbeat, a half in the frames beside it."""
        rows = np.zeros((len(self.inputs), 2), np.float32)
        for column, times in enumerate((self.beats, self.beats[self.places == 1])):
            frames = np.round(times * FRAMES_A_SECOND).astype(np.int64)
            for shift, value in ((-1, 0.5), (1, 0.5), (0, 1.0)):
                inside = frames + shift
                inside = inside[(inside >= 0) & (inside < len(rows))]
                rows[inside, column] = np.maximum(rows[inside, column], value)
        return rows


@dataclass(frozen=True)
class FitRecipe:
    """Training settings of the network.

    Attributes:
        epochs: passes through the sounds.
        batch: sounds per step.
        length: frames of a sound that one step sees; 50 seconds.
        rate: largest learning rate of the single cycle (L. N. Smith, Super-convergence, 2018).
        seed: random seed of weights, order and crops.
    """

    epochs: int = 36
    batch: int = 8
    length: int = 2_150
    rate: float = 4e-3
    seed: int = 0


def fit(examples: Sequence[Example], recipe: FitRecipe, *, progress: Progress = silent) -> dict[str, np.ndarray]:
    """Train the network.

    Args:
        examples: at least ``recipe.batch`` sounds.
        recipe: settings.
        progress: callback after each epoch.

    Returns:
        The weights that ``beat_network.log_odds`` takes, float32.
    """
    import torch
    from torch.nn import functional

    torch.manual_seed(recipe.seed)
    rng, network = np.random.default_rng(recipe.seed), _network()
    steps = recipe.epochs * (len(examples) // recipe.batch)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    targets = [example.targets() for example in examples]
    for epoch in range(recipe.epochs):
        order, losses = rng.permutation(len(examples)), []
        for first in range(0, len(order) - recipe.batch + 1, recipe.batch):
            chosen = order[first : first + recipe.batch]
            batch = [_crop(examples[number].inputs, targets[number], recipe.length, rng) for number in chosen.tolist()]
            rows, wanted, weight = (torch.from_numpy(np.stack(parts)) for parts in zip(*batch, strict=True))
            loss = functional.binary_cross_entropy_with_logits(network(rows), wanted, reduction="none")
            loss = 2 * (loss * weight).mean()  # of beats and of downbeats together
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        progress(epoch + 1, recipe.epochs, f"loss {np.mean(losses):.4f}")
    return _weights(network)


def _crop(inputs: np.ndarray, targets: np.ndarray, length: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A part of a sound, (columns, length) each: transposed, louder or quieter, at times without some bands."""
    count = min(len(inputs), length)
    start = int(rng.integers(0, len(inputs) - count + 1))
    rows = inputs[start : start + count].copy()
    rows[:, BANDS:] = np.roll(rows[:, BANDS:], int(rng.integers(12)), axis=1)
    rows[:, :BANDS] *= rng.uniform(0.7, 1.4)
    if rng.random() < 0.3:
        first = int(rng.integers(0, BANDS))
        rows[:, first : min(first + int(rng.integers(1, 10)), BANDS)] = 0
    columns = [(rows, INPUTS), (targets[start : start + count], 2), (np.ones((count, 1), np.float32), 1)]
    return tuple(np.pad(part.T, ((0, 0), (0, length - count))).reshape(width, length) for part, width in columns)


def _network():  # type: ignore[no-untyped-def]  # a class of torch, which is imported late
    """The network of ``beat_network.log_odds``, as a torch module on (n, ``INPUTS``, frames)."""
    import torch
    from torch import nn
    from torch.nn.functional import elu

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(INPUTS, CHANNELS, 3, padding=1)
            self.second = nn.Conv1d(CHANNELS, CHANNELS, 3, padding=1)
            self.wide = nn.ModuleList(
                nn.Conv1d(CHANNELS, CHANNELS, TAPS, dilation=dilation, padding=TAPS // 2 * dilation)
                for dilation in DILATIONS
            )
            self.mix = nn.ModuleList(nn.Conv1d(CHANNELS, CHANNELS, 1) for _ in DILATIONS)
            self.last, self.dropout = nn.Conv1d(CHANNELS, 2, 1), nn.Dropout(0.1)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            hidden = elu(self.second(elu(self.first(rows))))
            for wide, mix in zip(self.wide, self.mix, strict=True):
                hidden = hidden + mix(self.dropout(elu(wide(hidden))))
            return self.last(elu(hidden))

    return Network()


def _weights(network) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    """The weights by the names that ``beat_network.log_odds`` takes."""
    layers = {"first": network.first, "second": network.second}
    layers |= {f"wide_{number}": layer for number, layer in enumerate(network.wide)}
    arrays = {name: layer.weight.detach().numpy().transpose(2, 1, 0) for name, layer in layers.items()}
    arrays |= {
        name: layer.weight.detach().numpy()[:, :, 0].T
        for name, layer in {"last": network.last, **{f"mix_{n}": layer for n, layer in enumerate(network.mix)}}.items()
    }
    layers |= {"last": network.last} | {f"mix_{number}": layer for number, layer in enumerate(network.mix)}
    return arrays | {_bias(name): layer.bias.detach().numpy() for name, layer in layers.items()}


def _bias(name: str) -> str:
    """first → first_bias, wide_3 → wide_bias_3."""
    kind, _, number = name.partition("_")
    return f"{kind}_bias_{number}" if number else f"{kind}_bias"
