"""A convolutional network on mel bands for all tasks (extra ``deep``), exported with the outputs of ``heads``.

Blocks of 3 × 3 convolutions and global pooling, as by Choi, Fazekas, Sandler, Automatic tagging using deep
convolutional neural networks (ISMIR 2016). Training masks bands and times as in SpecAugment (Park et al., 2019).
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.extras import install_command
from training.models.audio import distance
from training.models.audio.distance import Region
from training.models.audio.heads import answer
from training.models.audio.tasks import Task, columns
from transforms.pure.audio import mel, patch

INPUT = "mel"
WIDTHS = (16, 32, 64, 96)
"""Number of channels of each block."""
SMALL = 1e-6


@dataclass(frozen=True)
class CnnRecipe:
    """Training settings of the network.

    Attributes:
        epochs: maximum number of passes through the sounds; the epoch with the lowest validation loss is exported.
        batch: sounds per step.
        rate: largest learning rate of the single cycle (L. N. Smith, Super-convergence, 2018).
        crop: frames of a sound that one step sees.
        seed: random seed of weights, order, crops and masks.
        augment: whether each sound is learned from in a second copy, through MP3, noise, clipping or a low-pass filter.
    """

    epochs: int = 20
    batch: int = 16
    rate: float = 3e-3
    crop: int = 256
    seed: int = 0
    augment: bool = False


@dataclass(frozen=True)
class TrainedCnn:
    """A trained and exported network.

    Attributes:
        onnx: ONNX model: input ``mel`` (n, bands, frames); one output per task, and ``distance``.
        epochs: number of the exported epoch.
    """

    onnx: bytes
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
    """Train, calibrate on the validation rows, export.

    Args:
        patches: (n, bands, frames) from ``transforms.pure.audio.patch``.
        tasks: the tasks on the same n sounds.
        train: numbers of the training rows.
        validation: numbers of rows by other artists, for the choice of the epoch and the temperatures.
        recipe: training settings.
        progress: callback after each epoch.

    Raises:
        InputError: torch is not installed.
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
        for batch in np.array_split(rng.permutation(train), steps):
            scores = model(torch.from_numpy(_augment(patches[batch], recipe.crop, rng)))[0]
            loss = _loss(torch, scores, tasks, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        scores, _ = _scores(torch, model, patches[validation])
        with torch.no_grad():
            validation_loss = float(_loss(torch, torch.from_numpy(scores), tasks, validation))
        if validation_loss < best[0]:
            best = (validation_loss, epoch, {name: value.clone() for name, value in model.state_dict().items()})
        progress(epoch, recipe.epochs, f"validation {validation_loss:.3f}")
    model.load_state_dict(best[2])
    scores, validation_embeddings = _scores(torch, model, patches[validation])
    temperatures = _temperatures(scores, tasks, validation)
    task = distance.first_task(tasks)
    classes = distance.class_numbers(task, len(patches))
    region = distance.fit(_scores(torch, model, patches[train])[1].astype(np.float64), classes[train])
    is_known = np.isin(classes[validation], [-1, *distance.frequent(classes[train])])
    is_known |= not is_known.any()
    doubt = np.zeros(len(validation))
    if task is not None and task.kind == "one_of":
        part = next(part for other, part in _task_columns(tasks) if other is task)
        doubt = distance.entropy(answer(scores[:, part] * temperatures[part], task.kind))
    known = region.measure(validation_embeddings[is_known].astype(np.float64), doubt[is_known])
    region = distance.with_limits(region, [known])
    served_network = _served_network(torch, model, tasks, temperatures, region)
    return TrainedCnn(_export(torch, served_network, tasks), best[1])


def _network(torch: Any, outputs: int) -> Any:
    nn = torch.nn

    class Network(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            layers: list[Any] = []
            channels = 1
            for width in WIDTHS:
                layers += [
                    nn.Conv2d(channels, width, 3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                    nn.MaxPool2d((2, 4) if channels == 1 else 2),
                ]
                channels = width
            self.blocks = nn.Sequential(*layers)
            self.drop = nn.Dropout(0.3)
            self.last = nn.Linear(2 * channels, outputs)

        def forward(self, patches: Any) -> tuple[Any, Any]:
            maps = self.blocks(patches[:, None])
            embedding = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
            return self.last(self.drop(embedding)), embedding

    return Network()


def _augment(patches: np.ndarray, crop: int, rng: np.random.Generator) -> np.ndarray:
    """Crop patches in time, and mask a random range of bands and a random span of frames."""
    crop = min(crop, patches.shape[2])
    cropped = np.empty((len(patches), patches.shape[1], crop), np.float32)
    for row, one_patch in enumerate(patches):
        start = int(rng.integers(patches.shape[2] - crop + 1))
        cropped[row] = one_patch[:, start : start + crop]
        first_band, first_frame = int(rng.integers(patches.shape[1] - 16)), int(rng.integers(max(crop - 24, 1)))
        cropped[row, first_band : first_band + int(rng.integers(17))] = 0.0
        cropped[row, :, first_frame : first_frame + int(rng.integers(25))] = 0.0
    return cropped


def _loss(torch: Any, scores: Any, tasks: Sequence[Task], rows: np.ndarray) -> Any:
    functional = torch.nn.functional
    total = scores.sum() * 0.0
    for task, part in _task_columns(tasks):
        task_scores = scores[:, part]
        is_labelled = ~np.isnan(task.targets[rows]).any(axis=1)
        if not is_labelled.any():
            continue
        truth = torch.from_numpy(task.targets[rows][is_labelled].astype(np.float32))
        task_scores = task_scores[torch.from_numpy(is_labelled)]
        if task.kind == "one_of":
            total = total + functional.cross_entropy(task_scores, truth)
        elif task.kind == "any_of":
            total = total + functional.binary_cross_entropy_with_logits(task_scores, truth)
        else:
            total = total + 4 * functional.mse_loss(task_scores, truth)
    return total


def _task_columns(tasks: Sequence[Task]) -> list[tuple[Task, slice]]:
    return list(zip(tasks, columns(task.classes for task in tasks), strict=True))


def _scores(torch: Any, model: Any, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    model.eval()
    with torch.no_grad():
        parts = [model(torch.from_numpy(patches[start : start + 64])) for start in range(0, len(patches), 64)]
    return tuple(torch.cat([part[place] for part in parts]).numpy() for place in range(2))  # type: ignore[return-value]


def _temperatures(scores: np.ndarray, tasks: Sequence[Task], rows: np.ndarray) -> np.ndarray:
    """Return (k,) the factor of each score that maximises the likelihood of the validation rows; 1 for numbers."""
    factors: list[float] = []
    grid = np.geomspace(0.2, 3.0, 28)
    for task, part in _task_columns(tasks):
        task_scores, truth = scores[:, part], task.targets[rows]
        is_labelled = ~np.isnan(truth).any(axis=1)
        best_factor = 1.0
        if task.kind != "number" and is_labelled.any():
            losses = [
                _log_loss(answer(task_scores[is_labelled] * factor, task.kind), truth[is_labelled]) for factor in grid
            ]
            best_factor = float(grid[int(np.argmin(losses))])
        factors += [best_factor] * len(task.classes)
    return np.array(factors, np.float32)


def _log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    probabilities = np.clip(probabilities, SMALL, 1 - SMALL)
    return float(-(truth * np.log(probabilities) + (1 - truth) * np.log(1 - probabilities)).mean())


def _served_network(torch: Any, model: Any, tasks: Sequence[Task], temperatures: np.ndarray, region: Region) -> Any:
    """Return the calibrated network with one output per task and the distance."""

    class Served(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            arrays = {name: getattr(region, name) for name in ("middle", "white", "total", "within", "means")}
            for name, value in {"factor": temperatures, **arrays}.items():
                self.register_buffer(name, torch.from_numpy(np.asarray(value, np.float32)))

        def forward(self, patches: Any) -> tuple[Any, ...]:
            scores, embedding = self.model(patches)
            scores = scores * self.factor
            outputs = []
            doubt = scores[:, 0] * 0.0
            for task, part in _task_columns(tasks):
                task_scores = scores[:, part]
                if task.kind == "one_of":
                    outputs.append(torch.softmax(task_scores, dim=1))
                    if task is distance.first_task(tasks):
                        doubt = -(outputs[-1] * outputs[-1].clamp(min=distance.SMALL).log()).sum(dim=1)
                else:
                    outputs.append(torch.sigmoid(task_scores) if task.kind == "any_of" else task_scores.clamp(0, 1))
            return (*outputs, self.distances(embedding - self.middle, doubt))

        def distances(self, offsets: Any, doubt: Any) -> Any:
            """``Region.distances`` in torch."""
            plain = torch.sqrt(((offsets @ self.white) ** 2).sum(dim=1))
            relative_factor, doubt_factor, near_offset = region.factors
            near = doubt_factor * doubt + near_offset
            if len(region.means):
                white = offsets @ self.within
                squares = (self.means**2).sum(dim=1) - 2 * white @ self.means.T
                nearest = squares.amin(dim=1) + (white**2).sum(dim=1)
                near = near + relative_factor * (nearest - ((offsets @ self.total) ** 2).sum(dim=1))
            far = distance.LIMIT + distance.STEEPNESS * (plain / region.farthest - 1)
            return torch.maximum(far, near)

    return Served().eval()


def _export(torch: Any, served: Any, tasks: Sequence[Task]) -> bytes:
    out = io.BytesIO()
    outputs = [*(task.name for task in tasks), "distance"]
    example = torch.zeros(2, mel.BANDS, patch.FRAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its successor
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
        raise InputError(expected="torch", found="it is not installed", next_command=install_command("deep")) from error
    return torch
