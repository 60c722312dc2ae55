"""Trains a convolutional network on sound files as the next version of ``audio_classifier`` (extra ``deep``).

It uses the labels and the test artists of the default model, but not its features. Its ONNX model has the same outputs
under the same names.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.sounds import LabelledSounds
from training.models.audio import heads
from training.models.audio.audio_classifier import FEWEST, NAME, balance, evidence, score_answers
from training.models.audio.distance import LIMIT
from training.models.audio.mel_cnn import INPUT, CnnRecipe, fit
from training.models.audio.recorders import shifts
from training.models.audio.tasks import required_tasks
from training.models.result import TrainedResult, registered
from training.robustness.degrade import degrade
from training.validation.comparison import in_words
from transforms.processes import Died, Processes
from transforms.pure.audio import mel
from transforms.pure.audio.decode import mono, quiet
from transforms.pure.audio.described import LAYOUT
from transforms.pure.audio.patch import FRAMES, patch
from transforms.pure.audio.stft import RATE
from transforms.raw.importers.audio_files import track_ids

VALIDATION = 0.2
"""Share of the training artists that is set aside for the choice of epoch and temperatures."""


def train_cnn(home: Home, folder: Path, recipe: CnnRecipe, *, progress: Progress = silent) -> TrainedResult:
    """Train, measure, register.

    Args:
        home: the data folder, with labelled tracks and built features.
        folder: folder of the sound files, each named by its track as in an import of the folder.
        recipe: training settings.
        progress: callback after each epoch.

    Raises:
        InputError: the folder has too few labelled tracks, or torch is not installed.
    """
    clock = Clock(silent, 3)
    sounds = LabelledSounds.load(home)
    files = {track: file for file, track in track_ids(folder).items()}
    rows = np.array([row for row, track in enumerate(sounds.tracks) if track in files], np.int64)
    if len(rows) < FEWEST:
        raise InputError(
            expected=f"sound files of {FEWEST} labelled tracks in {folder}, each named by its track",
            found=str(len(rows)),
            next_command="refrain import audio PATH, with its labels.csv",
        )
    with Processes() as processes:
        patches_or_errors = list(processes.each(_patch, [files[sounds.tracks[row]] for row in rows]))
    is_decoded = np.array([not isinstance(patch_or_error, Died | str) for patch_or_error in patches_or_errors])
    sounds = sounds.take(rows[is_decoded])
    patches = np.array(
        [patch_or_error for patch_or_error in patches_or_errors if not isinstance(patch_or_error, Died | str)],
        np.float32,
    )
    clock.lap("decoding")
    audio_tasks = required_tasks(sounds.labels)
    train, test = sounds.split(seed=recipe.seed)
    artist_names = np.random.default_rng(recipe.seed).permutation(np.unique(sounds.artists[train]))
    validation = np.isin(sounds.artists[train], artist_names[: max(1, round(VALIDATION * len(artist_names)))])
    learned, learned_tasks, learned_rows = patches, audio_tasks, train[~validation]
    if recipe.augment:
        copied = _copies([files[sounds.tracks[row]] for row in learned_rows], recipe.seed)
        learned = np.concatenate([patches, copied])
        learned_tasks = [task.take(np.concatenate([np.arange(len(patches)), learned_rows])) for task in audio_tasks]
        learned_rows = np.concatenate([learned_rows, len(patches) + np.arange(len(copied))])
    trained = fit(learned, learned_tasks, learned_rows, train[validation], recipe, progress=progress)
    clock.lap("fit")
    answers = _answers(trained.onnx, patches[test])
    default = heads.fit(
        sounds.vectors[train],
        [task.take(train) for task in audio_tasks],
        sounds.artists[train],
        sources=sounds.sources[train],
        shifts=shifts(),
        seed=recipe.seed,
    )
    answers_by_model = {"mel_cnn": answers, "heads": default.answers(sounds.vectors[test])[0]}
    metrics = score_answers(audio_tasks, train, test, answers_by_model)
    metrics["mel_cnn"]["unknown_share"] = float((answers["distance"] > LIMIT).mean())
    clock.lap("measured")
    test_evidence = evidence(sounds, audio_tasks[0], train, test, answers_by_model)
    comparison = in_words(test_evidence.gain("heads"), "the default model on features, fitted to the same artists")
    about = (
        f"A convolutional network on {patches.shape[1]} mel bands: {int((~validation).sum()):,} tracks to learn from, "
        f"{int(validation.sum()):,} to choose the epoch ({trained.epochs} of {recipe.epochs}) and temperatures by, "
        f"{len(test):,} by other artists asked about. What was measured serves. "
        f"{audio_tasks[0].name}, {test_evidence.metric}: {comparison}."
    )
    version = registered(
        home,
        NAME,
        about=about,
        family="audio",
        files={"model.onnx": trained.onnx, "tonal_balance.json": json.dumps(balance(sounds)).encode()},
        inputs=[(INPUT, "float32")],
        outputs=[(f"{task.name}__{name}", "float32") for task in audio_tasks for name in task.classes],
        metrics=metrics,
        learned_from=[sounds.pulled.manifest["digest"]],
        cutoff=sounds.cutoff,
        extra={
            "kind": "mel_cnn",
            "input": INPUT,
            "tasks": [[task.name, task.kind, list(task.classes)] for task in audio_tasks],
            "farthest": LIMIT,
            "tracks": len(sounds),
            "layout": LAYOUT,
        },
        evidence=test_evidence,
    )
    return TrainedResult(NAME, version, about, metrics, clock.seconds)


def _copies(sound_files: Sequence[Path], seed: int) -> np.ndarray:
    """Return a patch of each file, whose sound went through a codec, noise or a filter, as chance decides."""
    with Processes() as processes:
        pairs = [(file, seed + number) for number, file in enumerate(sound_files)]
        made = list(processes.each(_copied_patch, pairs))
    silent_patch = np.full((mel.BANDS, FRAMES), -1.0, np.float32)
    return np.array([silent_patch if isinstance(one, Died | str) else one for one in made], np.float32)


def _copied_patch(pair: tuple[Path, int]) -> np.ndarray | str:
    """Return the patch of a changed copy of a file; runs in a process of its own."""
    file, seed = pair
    try:
        with quiet():
            samples = np.concatenate([np.empty(0, np.float32), *mono(file, RATE)])
        return patch(degrade(samples, np.random.default_rng(seed)))
    except InputError as error:
        return str(error.found)


def _patch(file: Path) -> np.ndarray | str:
    """Return the patch of a file, or the reason why it has none; runs in a process of its own."""
    try:
        with quiet():
            return patch(np.concatenate([np.empty(0, np.float32), *mono(file, RATE)]))
    except InputError as error:
        return str(error.found)


def _answers(content: bytes, patches: np.ndarray) -> dict[str, np.ndarray]:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    parts = [session.run(None, {INPUT: patches[start : start + 64]}) for start in range(0, len(patches), 64)]
    names = [output.name for output in session.get_outputs()]
    return {name: np.concatenate([part[place] for part in parts]) for place, name in enumerate(names)}
