"""An encoder fine-tuned as the next version of ``sentiment_model`` or ``emotion_model`` (extra ``deep``).

The same texts, the same texts held back, the same figures as the default model's; one part in ten of what is learned
from is kept for the temperature. What serves is the model that was measured: fitting it again to everything would
double the hours.
"""

import json

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.texts import LabelledTexts, split
from training.evaluate.classification import class_metrics
from training.models.result import TrainedResult, figures, registered
from training.models.text import lexicons
from training.models.text.encoder import EncoderRecipe, fit
from training.validation.evidence import OURS, Evidence
from transforms.pure.text.analysis import EMOTION, SENTIMENT
from transforms.pure.text.encoder import predictor

TASKS = {"sentiment": SENTIMENT, "emotion": EMOTION}


def fine_tune(
    home: Home, task: str, recipe: EncoderRecipe, *, languages: tuple[str, ...] = ("en",), progress: Progress = silent
) -> TrainedResult:
    """Fine-tune, measure, register.

    Args:
        home: the data folder.
        task: ``sentiment`` or ``emotion``.
        recipe: which encoder, and how.
        languages: that it may be asked in.
        progress: told after each step.

    Raises:
        InputError: no such task, no labelled texts, no torch, or no encoder at the path.
    """
    if task not in TASKS:
        raise InputError(
            expected=f"one of {', '.join(TASKS)}", found=repr(task), next_command="python -m training fine-tune --help"
        )
    clock = Clock(silent, 3)
    texts = LabelledTexts.load(home, task)
    parts = split(texts, seed=recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    kept = np.sort(rng.choice(parts.train, max(len(parts.train) // 10, 1), replace=False))
    train, validation, test = (texts.take(rows) for rows in (np.setdiff1d(parts.train, kept), kept, parts.test))
    clock.lap("texts")
    found = fit(
        train.texts,
        train.labels,
        texts.classes,
        recipe,
        validation=(validation.texts, validation.labels),
        progress=progress,
    )
    clock.lap("fit")
    files = {"model.onnx": found.onnx, "tokenizer.json": found.tokenizer.encode()}
    extra = {
        "kind": "encoder",
        "classes": texts.classes,
        "languages": languages,
        "temperature": found.temperature,
        "encoder": recipe.path.rstrip("/").rpartition("/")[2],
        "epochs": recipe.epochs,
        "int8": recipe.int8,
    }
    served = predictor({"name": TASKS[task], "version": 0, "extra": extra}, files.__getitem__)
    share = np.bincount(train.labels, minlength=len(texts.classes)) / len(train)
    answers = {OURS: served(test.texts, test.tokens), "more_frequent_class": np.tile(share, (len(test), 1))}
    metrics = {
        "encoder" if who == OURS else who: figures(class_metrics(test.labels, told)) for who, told in answers.items()
    }
    clock.lap("measured")
    about = (
        f"{task.capitalize()} by the encoder {extra['encoder']}, {recipe.epochs:g} passes through {len(train):,} "
        f"texts, temperature {found.temperature:.2f} by {len(validation):,}; {len(test):,} whole texts asked about, "
        f"told apart by {parts.by}."
    )
    if task == "sentiment":
        files["subjectivity.json"] = json.dumps(lexicons.subjectivity()).encode()
    version = registered(
        home,
        TASKS[task],
        about=about,
        files=files,
        outputs=[(name, "float64") for name in texts.classes],
        metrics=metrics,
        learned_from=train.texts,
        cutoff=int(texts.times[parts.train[-1]]),
        extra=extra,
        evidence=Evidence.of_classes(test.texts, test.labels, answers),
    )
    return TrainedResult(TASKS[task], version, about, metrics, clock.seconds)
