"""A convolutional network on mel bands, all tasks at once (extra ``deep``), exported to the contract of ``heads``.

Blocks of 3 × 3 convolutions and global pooling, as by Choi, Fazekas, Sandler, Automatic tagging using deep
convolutional neural networks (ISMIR 2016); bands and times are masked as in SpecAugment (Park et al., 2019).
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from training.models.audio import distance
from training.models.audio.heads import answer
from training.models.audio.tasks import Task, columns
from transforms.pure.audio import mel, patch

INPUT = "mel"
WIDTHS = (16, 32, 64, 96)
"""Channels of the blocks."""
SMALL = 1e-6


@dataclass(frozen=True)
class CnnRecipe:
    """How it is trained.

    Attributes:
        epochs: passes through the sounds, at the most; the best by validation serves.
        batch: sounds of a step.
        rate: largest learning rate, of one cycle (L. N. Smith, Super-convergence, 2018).
        crop: frames of a sound that a step sees.
        seed: of weights, order, crops and masks.
    """

    epochs: int = 20
    batch: int = 16
    rate: float = 3e-3
    crop: int = 256
    seed: int = 0


@dataclass(frozen=True)
class TrainedCnn:
    """Of one training.

    Attributes:
        onnx: input ``mel`` (n, bands, frames); outputs by task, ``distance``.
        farthest: distance from which on a sound is unknown.
        epochs: that were run until the best.
    """

    onnx: bytes
    farthest: float
    epochs: int


def fit(
    patches: np.ndarray,
    tasks: Sequence[Task],
    train: np.ndarray,
    validation: np.ndarray,
    recipe: CnnRecipe,
    *,
    progress: Progress = silent,
) -> TrainedCnn:
    """Train, calibrate by the validation rows, export.

    Args:
        patches: (n, bands, frames) of ``transforms.pure.audio.patch``.
        tasks: of the same n sounds.
        train: rows to learn from.
        validation: rows, of other artists, that choose the epoch and the temperatures.
        recipe: how.
        progress: told after each epoch.

    Raises:
        InputError: there is no torch.
    """
    torch = _torch()
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    model = _network(torch, sum(len(task.classes) for task in tasks))
    steps = -(-len(train) // recipe.batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, recipe.epochs * steps)
    best: tuple[float, int, Any] = (np.inf, 0, None)
    for epoch in range(1, recipe.epochs + 1):
        model.train()
        for rows in np.array_split(rng.permutation(train), steps):
            scores = model(torch.from_numpy(_augmented(patches[rows], recipe.crop, rng)))[0]
            loss = _loss(torch, scores, tasks, rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        scores, _ = _scores(torch, model, patches[validation])
        with torch.no_grad():
            missed = float(_loss(torch, torch.from_numpy(scores), tasks, validation))
        if missed < best[0]:
            best = (missed, epoch, {name: value.clone() for name, value in model.state_dict().items()})
        progress(epoch, recipe.epochs, f"validation {missed:.3f}")
    model.load_state_dict(best[2])
    scores, seen = _scores(torch, model, patches[validation])
    middle, white = distance.whitening(_scores(torch, model, patches[train])[1])
    farthest = float(np.quantile(distance.distances(seen, middle, white), distance.FAR))
    served = _served(torch, model, tasks, _temperatures(scores, tasks, validation), middle, white)
    return TrainedCnn(_export(torch, served, tasks), farthest, best[1])


def _network(torch: Any, outputs: int) -> Any:
    nn = torch.nn

    class Network(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            layers: list[Any] = []
            given = 1
            for width in WIDTHS:
                layers += [
                    nn.Conv2d(given, width, 3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                    nn.MaxPool2d((2, 4) if given == 1 else 2),
                ]
                given = width
            self.blocks = nn.Sequential(*layers)
            self.drop = nn.Dropout(0.3)
            self.last = nn.Linear(2 * given, outputs)

        def forward(self, patches: Any) -> tuple[Any, Any]:
            found = self.blocks(patches[:, None])
            seen = torch.cat([found.mean(dim=(2, 3)), found.amax(dim=(2, 3))], dim=1)
            return self.last(self.drop(seen)), seen

    return Network()


def _augmented(patches: np.ndarray, crop: int, rng: np.random.Generator) -> np.ndarray:
    """Crops in time, a band of pitches and a span of time masked."""
    crop = min(crop, patches.shape[2])
    out = np.empty((len(patches), patches.shape[1], crop), np.float32)
    for row, one in enumerate(patches):
        start = int(rng.integers(patches.shape[2] - crop + 1))
        out[row] = one[:, start : start + crop]
        low, first = int(rng.integers(patches.shape[1] - 16)), int(rng.integers(max(crop - 24, 1)))
        out[row, low : low + int(rng.integers(17))] = 0.0
        out[row, :, first : first + int(rng.integers(25))] = 0.0
    return out


def _loss(torch: Any, scores: Any, tasks: Sequence[Task], rows: np.ndarray) -> Any:
    functional = torch.nn.functional
    total = scores.sum() * 0.0
    for task, part in _parts(tasks):
        mine = scores[:, part]
        told = ~np.isnan(task.targets[rows]).any(axis=1)
        if not told.any():
            continue
        truth = torch.from_numpy(task.targets[rows][told].astype(np.float32))
        mine = mine[torch.from_numpy(told)]
        if task.kind == "one_of":
            total = total + functional.cross_entropy(mine, truth)
        elif task.kind == "any_of":
            total = total + functional.binary_cross_entropy_with_logits(mine, truth)
        else:
            total = total + 4 * functional.mse_loss(mine, truth)
    return total


def _parts(tasks: Sequence[Task]) -> list[tuple[Task, slice]]:
    return list(zip(tasks, columns(task.classes for task in tasks), strict=True))


def _scores(torch: Any, model: Any, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    model.eval()
    with torch.no_grad():
        parts = [model(torch.from_numpy(patches[start : start + 64])) for start in range(0, len(patches), 64)]
    return tuple(torch.cat([part[place] for part in parts]).numpy() for place in range(2))  # type: ignore[return-value]


def _temperatures(scores: np.ndarray, tasks: Sequence[Task], rows: np.ndarray) -> np.ndarray:
    """(k,) factor of each score after which the validation rows are likeliest; 1 for numbers."""
    found: list[float] = []
    grid = np.geomspace(0.2, 3.0, 28)
    for task, part in _parts(tasks):
        mine, truth = scores[:, part], task.targets[rows]
        told = ~np.isnan(truth).any(axis=1)
        best = 1.0
        if task.kind != "number" and told.any():
            losses = [_miss(answer(mine[told] * factor, task.kind), truth[told]) for factor in grid]
            best = float(grid[int(np.argmin(losses))])
        found += [best] * len(task.classes)
    return np.array(found, np.float32)


def _miss(chances: np.ndarray, truth: np.ndarray) -> float:
    chances = np.clip(chances, SMALL, 1 - SMALL)
    return float(-(truth * np.log(chances) + (1 - truth) * np.log(1 - chances)).mean())


def _served(
    torch: Any, model: Any, tasks: Sequence[Task], temperatures: np.ndarray, middle: np.ndarray, white: np.ndarray
) -> Any:
    """The network, calibrated, with the outputs of the contract."""

    class Served(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            for name, value in (("factor", temperatures), ("middle", middle), ("white", white)):
                self.register_buffer(name, torch.from_numpy(np.asarray(value, np.float32)))

        def forward(self, patches: Any) -> tuple[Any, ...]:
            scores, seen = self.model(patches)
            scores = scores * self.factor
            out = []
            for task, part in _parts(tasks):
                mine = scores[:, part]
                if task.kind == "one_of":
                    out.append(torch.softmax(mine, dim=1))
                else:
                    out.append(torch.sigmoid(mine) if task.kind == "any_of" else mine.clamp(0, 1))
            away = (seen - self.middle) @ self.white
            return (*out, torch.sqrt((away * away).sum(dim=1)))

    return Served().eval()


def _export(torch: Any, served: Any, tasks: Sequence[Task]) -> bytes:
    out = io.BytesIO()
    outputs = [*(task.name for task in tasks), "distance"]
    example = torch.zeros(2, mel.BANDS, patch.FRAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its successor
        torch.onnx.export(
            served,
            (example,),
            out,
            input_names=[INPUT],
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in (INPUT, *outputs)},
            opset_version=18,
            dynamo=False,
        )
    return out.getvalue()


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            expected="torch", found="it is not installed", next_command="pip install torch, then again"
        ) from error
    return torch
