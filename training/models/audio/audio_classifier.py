"""``audio_classifier``: genre, mood, valence and arousal, instruments of a track, from how it sounds.

It eats the feature service ``audio_classifier_v1``. A quarter of the artists is asked about; what serves is then
fitted to all of them. What lies far from everything that was learned from is called unknown.
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
from training.evaluate.classification import class_metrics, label_metrics
from training.golden import ROWS, golden
from training.models.audio import heads
from training.models.audio.onnx_heads import INPUT, to_onnx
from training.models.audio.tasks import Task, tasks
from training.models.base import FamilyModel
from training.models.result import TrainedResult, figures, registered
from training.threads import threads
from training.validation.evidence import OURS, Evidence
from transforms.pure.audio.described import EATEN, LAYOUT

NAME = "audio_classifier"
FEWEST = 40


def run(home: Home, *, progress: Progress = silent, seed: int = 0) -> TrainedResult:
    """Fit, measure beside LightGBM and what is most frequent, register.

    Raises:
        InputError: too few tracks were labelled.
    """
    clock = Clock(progress, 4)
    sounds = LabelledSounds.load(home)
    asked = tasks(sounds.labels)
    if len(sounds) < FEWEST or not asked or len(np.unique(sounds.artists)) < heads.FOLDS:
        raise InputError(
            expected=f"{FEWEST} tracks, by {heads.FOLDS} artists or more, that somebody said the sound of",
            found=f"{len(sounds)} by {len(np.unique(sounds.artists))}",
            next_command=SIMULATE,
        )
    train, test = sounds.split(seed=seed)
    clock.lap("features")
    metrics, by = measured(sounds.vectors, asked, sounds.artists, train, test, seed=seed)
    clock.lap("measured")
    final = heads.fit(sounds.vectors, asked, sounds.artists, seed=seed)
    clock.lap("fit")
    told = ", ".join(f"{task.name} ({len(task.classes)})" for task in asked)
    about = (
        f"{told}. {len(train):,} tracks to learn from, {len(test):,} by other artists asked about; what serves was "
        f"fitted to all {len(sounds):,}."
    )
    version = registered(
        home,
        NAME,
        about=about,
        family="audio",
        files={
            "model.onnx": to_onnx(final),
            GOLDEN: golden({asked[0].name: (sounds.vectors, final.answers(sounds.vectors[:ROWS])[0][asked[0].name])}),
            "tonal_balance.json": json.dumps(balance(sounds)).encode(),
        },
        inputs=[(f"{VIEW}__{name}", "float32") for name in EATEN],
        outputs=[(f"{task.name}__{name}", "float32") for task in asked for name in task.classes],
        metrics=metrics,
        learned_from=[sounds.pulled.manifest["digest"]],
        cutoff=sounds.cutoff,
        extra={
            "kind": "heads",
            "input": INPUT,
            "tasks": [[name, kind, list(classes)] for name, kind, classes in final.tasks],
            "farthest": final.farthest,
            "tracks": len(sounds),
            "layout": LAYOUT,
        },
        training_sets=[sounds.pulled],
        evidence=evidence(sounds, asked[0], train, test, by),
    )
    clock.lap("registration")
    return TrainedResult(NAME, version, about, metrics, clock.seconds)


def measured(
    inputs: np.ndarray, asked: list[Task], groups: np.ndarray, train: np.ndarray, test: np.ndarray, *, seed: int = 0
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, np.ndarray]]]:
    """Figures of every task, on rows that nothing was learned from, beside LightGBM's and the frequent answer's; and
    who → task → answers."""
    model = heads.fit(inputs[train], [task.take(train) for task in asked], groups[train], seed=seed)
    mine, far = model.answers(inputs[test])
    boosted = {}
    for task in asked:
        learn = np.intersect1d(train, task.told)
        boosted[task.name] = lightgbm(inputs[learn], task.take(learn), inputs[test])
    by = {NAME: mine, "lightgbm": boosted}
    found = compared(asked, train, test, by)
    found[NAME]["unknown_share"] = float((far > model.farthest).mean())
    return found, by


def compared(
    asked: list[Task], train: np.ndarray, test: np.ndarray, by: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, dict[str, float]]:
    """Figures of answers, and of the frequent one, on those rows that somebody said something of.

    Args:
        asked: the tasks, of all n sounds.
        train: rows that were learned from.
        test: rows that were asked about.
        by: who → task → (len(test), k) answers.
    """
    found: dict[str, dict[str, float]] = {who: {} for who in (*by, "frequent")}
    for task in asked:
        told = np.isin(test, task.told)
        truth = task.targets[test[told]]
        frequent = np.tile(task.targets[np.intersect1d(train, task.told)].mean(axis=0), (len(truth), 1))
        for who, answers in by.items():
            found[who] |= task_figures(task, truth, answers[task.name][told])
        found["frequent"] |= task_figures(task, truth, frequent)
    return found


def evidence(
    sounds: LabelledSounds,
    task: Task,
    train: np.ndarray,
    test: np.ndarray,
    by: Mapping[str, Mapping[str, np.ndarray]],
) -> Evidence:
    """Of the first task, track by track, those of one artist together; the first of ``by`` is the model."""
    told = np.isin(test, task.told)
    truth = task.targets[test[told]]
    frequent = np.tile(task.targets[np.intersect1d(train, task.told)].mean(axis=0), (len(truth), 1))
    names = dict(zip(by, (OURS, *list(by)[1:]), strict=True))
    answers = {names[who]: given[task.name][told] for who, given in by.items()} | {"frequent": frequent}
    tracks, artists = (np.asarray(of)[test[told]] for of in (sounds.tracks, sounds.artists))
    if task.kind == "one_of":
        return Evidence.of_classes(tracks.tolist(), truth.argmax(axis=1), answers, clusters=artists)
    errors = {who: ((given - truth) ** 2).mean(axis=1) for who, given in answers.items()}
    return Evidence.of("squared_error", tracks.tolist(), errors, clusters=artists)


def lightgbm(inputs: np.ndarray, task: Task, asked: np.ndarray) -> np.ndarray:
    """(n, k) by gradient boosting, a model a class; the baseline."""
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
        data = lgb.Dataset(inputs, task.targets.argmax(axis=1))
        return np.asarray(lgb.train(settings, data, 120).predict(asked))
    settings["objective"] = "binary" if task.kind == "any_of" else "regression"
    columns = [lgb.train(settings, lgb.Dataset(inputs, column), 120).predict(asked) for column in task.targets.T]
    return np.column_stack(columns)


def task_figures(task: Task, truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    """What is measured of answers (n, k), by name."""
    if task.kind == "one_of":
        found = figures(class_metrics(truth.argmax(axis=1), answers))
        names = ["accuracy", "macro_f1", "log_loss", "calibration_error"]
    elif task.kind == "any_of":
        found = figures(label_metrics(truth > 0.5, answers))
        names = ["mean_average_precision", "micro_f1"]
    else:
        spread = np.maximum(((truth - truth.mean(axis=0)) ** 2).sum(axis=0), 1e-12)
        explained = 1 - ((truth - answers) ** 2).sum(axis=0) / spread
        return {f"{name}_r2": float(value) for name, value in zip(task.classes, explained, strict=True)}
    return {f"{task.name}_{name}": found[name] for name in names}


def balance(sounds: LabelledSounds) -> list[list[float]]:
    """Median of each octave's level, and spread: half of what lies between the 16th and the 84th percentile."""
    low, middle, high = np.nanpercentile(sounds.balances, [16, 50, 84], axis=0)
    return [middle.tolist(), ((high - low) / 2).tolist()]


MODEL = FamilyModel(
    name=NAME,
    family="audio",
    about="Genre, mood and instruments of a track, from how it sounds.",
    services=(SERVICE,),
    raw=("audio_labels", "tracks"),
    program=run,
)
