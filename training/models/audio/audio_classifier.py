"""``audio_classifier``: predicts genre, mood, valence, arousal and instruments of a track from its sound.

It reads the feature service ``audio_classifier_v1``. A quarter of the artists is the test; the served model is then
fitted to all artists. A track of no class that was learned, or far from all training tracks, counts as unknown.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from feature_repo.bundle import GOLDEN
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.sounds import SERVICE, SIMULATE, VIEW, LabelledSounds
from training.evaluate.classification import class_metrics, class_recalls, label_metrics
from training.golden import ROWS, golden
from training.models.audio import heads
from training.models.audio.distance import LIMIT
from training.models.audio.onnx_heads import INPUT, to_onnx
from training.models.audio.recorders import shifts
from training.models.audio.tasks import Task, required_tasks
from training.models.audio.unknown import unknown_figures
from training.models.base import FamilyModel, Gates
from training.models.result import TrainedResult, figures, registered
from training.threads import threads
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from transforms.pure.audio.described import EATEN, LAYOUT

NAME = "audio_classifier"
FEWEST = 40


def run(home: Home, *, progress: Progress = silent, seed: int = 0) -> TrainedResult:
    """Fit, measure beside LightGBM and the most frequent answer, register.

    Raises:
        InputError: too few tracks are labelled.
    """
    clock = Clock(progress, 4)
    sounds = LabelledSounds.load(home)
    audio_tasks = required_tasks(sounds.labels)
    if len(sounds) < FEWEST or len(np.unique(sounds.artists)) < heads.FOLDS:
        raise InputError(
            expected=f"at least {FEWEST} labelled tracks by at least {heads.FOLDS} artists",
            found=f"{len(sounds)} tracks by {len(np.unique(sounds.artists))} artists",
            next_command=SIMULATE,
        )
    train, test = sounds.split(seed=seed)
    clock.lap("features")
    metrics, answers_by_model = measured(
        sounds.vectors, audio_tasks, sounds.artists, train, test, sources=sounds.sources, directions=shifts(), seed=seed
    )
    metrics[NAME] |= unknown_figures(
        sounds.vectors, audio_tasks, sounds.artists, sources=sounds.sources, shifts=shifts(), seed=seed
    )
    first_task = audio_tasks[0]
    permuted_task = first_task.take(np.random.default_rng(seed).permutation(train))
    floor = heads.fit(sounds.vectors[train], [permuted_task], sounds.artists[train], shifts=shifts(), seed=seed)
    compared_answers = {**answers_by_model, PERMUTED: floor.answers(sounds.vectors[test])[0]}
    clock.lap("measured")
    final = heads.fit(sounds.vectors, audio_tasks, sounds.artists, sources=sounds.sources, shifts=shifts(), seed=seed)
    clock.lap("fit")
    summary = ", ".join(f"{task.name} ({len(task.classes)})" for task in audio_tasks)
    about = (
        f"{summary}. {len(train):,} tracks to learn from, {len(test):,} by other artists asked about; what serves was "
        f"fitted to all {len(sounds):,}."
    )
    version = registered(
        home,
        NAME,
        about=about,
        family="audio",
        files={
            "model.onnx": to_onnx(final),
            GOLDEN: golden(
                {audio_tasks[0].name: (sounds.vectors, final.answers(sounds.vectors[:ROWS])[0][audio_tasks[0].name])}
            ),
            "tonal_balance.json": json.dumps(balance(sounds)).encode(),
        },
        inputs=[(f"{VIEW}__{name}", "float32") for name in EATEN],
        outputs=[(f"{task.name}__{name}", "float32") for task in audio_tasks for name in task.classes],
        metrics=metrics,
        learned_from=[sounds.pulled.manifest["digest"]],
        cutoff=sounds.cutoff,
        extra={
            "kind": "heads",
            "input": INPUT,
            "tasks": [[name, kind, list(classes)] for name, kind, classes in final.tasks],
            "farthest": LIMIT,
            "tracks": len(sounds),
            "layout": LAYOUT,
        },
        training_sets=[sounds.pulled],
        evidence=evidence(sounds, first_task, train, test, compared_answers),
    )
    clock.lap("registration")
    return TrainedResult(NAME, version, about, metrics, clock.seconds)


def measured(
    inputs: np.ndarray,
    audio_tasks: list[Task],
    groups: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    *,
    sources: np.ndarray | None = None,
    directions: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, np.ndarray]]]:
    """Fit on the train rows; return model → figures of all tasks on the test rows, and model → task → answers.

    The other models are LightGBM and, in the figures only, the most frequent answer. ``sources`` is that of
    ``heads.fit``, ``directions`` its ``shifts``.
    """
    model = heads.fit(
        inputs[train],
        [task.take(train) for task in audio_tasks],
        groups[train],
        sources=None if sources is None else sources[train],
        shifts=directions,
        seed=seed,
    )
    head_answers, test_distances = model.answers(inputs[test])
    lightgbm_answers = {}
    for task in audio_tasks:
        train_rows = np.intersect1d(train, task.labelled_rows)
        lightgbm_answers[task.name] = lightgbm(inputs[train_rows], task.take(train_rows), inputs[test])
    answers_by_model = {NAME: head_answers, "lightgbm": lightgbm_answers}
    metrics = score_answers(audio_tasks, train, test, answers_by_model)
    metrics[NAME]["unknown_share"] = float((test_distances > LIMIT).mean())
    return metrics, answers_by_model


def score_answers(
    audio_tasks: list[Task],
    train: np.ndarray,
    test: np.ndarray,
    answers_by_model: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, dict[str, float]]:
    """Return model → figures of its answers on the labelled test rows; the most frequent answer is added as a model.

    Args:
        audio_tasks: the tasks on all n sounds.
        train: numbers of the training rows.
        test: numbers of the test rows.
        answers_by_model: model → task → (len(test), k) answers.
    """
    metrics: dict[str, dict[str, float]] = {model: {} for model in (*answers_by_model, "frequent")}
    for task in audio_tasks:
        is_labelled = np.isin(test, task.labelled_rows)
        truth = task.targets[test[is_labelled]]
        frequent = np.tile(task.targets[np.intersect1d(train, task.labelled_rows)].mean(axis=0), (len(truth), 1))
        for model, answers in answers_by_model.items():
            metrics[model] |= task_figures(task, truth, answers[task.name][is_labelled])
        metrics["frequent"] |= task_figures(task, truth, frequent)
    return metrics


def evidence(
    sounds: LabelledSounds,
    task: Task,
    train: np.ndarray,
    test: np.ndarray,
    answers_by_model: Mapping[str, Mapping[str, np.ndarray]],
) -> Evidence:
    """Return the evidence of one task by track, clustered by artist; the first of ``answers_by_model`` is the model."""
    is_labelled = np.isin(test, task.labelled_rows)
    truth = task.targets[test[is_labelled]]
    frequent = np.tile(task.targets[np.intersect1d(train, task.labelled_rows)].mean(axis=0), (len(truth), 1))
    names = dict(zip(answers_by_model, (MODEL_KEY, *list(answers_by_model)[1:]), strict=True))
    answers = {
        names[model]: model_answers[task.name][is_labelled] for model, model_answers in answers_by_model.items()
    } | {"frequent": frequent}
    tracks, artists = (np.asarray(ids)[test[is_labelled]] for ids in (sounds.tracks, sounds.artists))
    if task.kind == "one_of":
        return Evidence.of_classes(tracks.tolist(), truth.argmax(axis=1), answers, clusters=artists)
    errors = {model: ((model_answers - truth) ** 2).mean(axis=1) for model, model_answers in answers.items()}
    return Evidence.of("squared_error", tracks.tolist(), errors, clusters=artists)


def lightgbm(inputs: np.ndarray, task: Task, test_inputs: np.ndarray) -> np.ndarray:
    """Return the baseline answers (n, k) of the test inputs, by gradient boosting."""
    import lightgbm as lgb

    settings: dict[str, Any] = {
        "num_leaves": 7,
        "learning_rate": 0.05,
        "min_data_in_leaf": 10,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "verbose": -1,
        "num_threads": threads(),
        "seed": 0,
    }
    if task.kind == "one_of":
        settings |= {"objective": "multiclass", "num_class": len(task.classes)}
        dataset = lgb.Dataset(inputs, task.targets.argmax(axis=1))
        return np.asarray(lgb.train(settings, dataset, 120).predict(test_inputs))
    settings["objective"] = "binary" if task.kind == "any_of" else "regression"
    columns = [lgb.train(settings, lgb.Dataset(inputs, column), 120).predict(test_inputs) for column in task.targets.T]
    return np.column_stack(columns)


def task_figures(task: Task, truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    """Return figure → value of answers (n, k) to a task."""
    if task.kind == "one_of":
        values = figures(class_metrics(truth.argmax(axis=1), answers))
        names = ["accuracy", "macro_f1", "log_loss", "calibration_error"]
        recalls = class_recalls(truth.argmax(axis=1), answers)
        by_class = {f"{task.name}_recall_{task.classes[number]}": value for number, value in recalls.items()}
        macro_recall = float(np.mean(list(recalls.values()))) if recalls else float("nan")
        return {f"{task.name}_{name}": values[name] for name in names} | {
            f"{task.name}_macro_recall": macro_recall,
            **by_class,
        }
    if task.kind == "any_of":
        values = figures(label_metrics(truth > 0.5, answers))
        names = ["mean_average_precision", "micro_f1"]
    else:
        spread = np.maximum(((truth - truth.mean(axis=0)) ** 2).sum(axis=0), 1e-12)
        explained = 1 - ((truth - answers) ** 2).sum(axis=0) / spread
        return {f"{name}_r2": float(value) for name, value in zip(task.classes, explained, strict=True)}
    return {f"{task.name}_{name}": values[name] for name in names}


def balance(sounds: LabelledSounds) -> list[list[float]]:
    """Return median and spread of each octave's level; the spread is half the 16th to 84th percentile range."""
    low, middle, high = np.nanpercentile(sounds.balances, [16, 50, 84], axis=0)
    return [middle.tolist(), ((high - low) / 2).tolist()]


MODEL = FamilyModel(
    name=NAME,
    family="audio",
    about="Genre, mood and instruments of a track, from how it sounds.",
    services=(SERVICE,),
    raw=("audio_labels", "tracks"),
    gates=Gates(plain={"lightgbm": 0.05}),
    program=run,
)
