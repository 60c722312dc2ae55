"""Fine-tunes an encoder as the next version of ``sentiment_model`` or ``emotion_model`` (extra ``deep``).

Texts, test texts and figures are those of the default model. A tenth of the training texts is the validation set for
the temperature. The measured model is also the served one: another fit to all texts would double the hours.
"""

import json

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.texts import left_out_note, split
from training.evaluate.classification import class_metrics
from training.models.result import TrainedResult, figures, registered
from training.models.text import emotion_model, lexicons, sentiment_model
from training.models.text.encoder import EncoderRecipe, fit
from training.validation.evidence import MODEL_KEY, Evidence
from transforms.pure.text.analysis import EMOTION, SENTIMENT
from transforms.pure.text.encoder import predictor

TASKS = {"sentiment": SENTIMENT, "emotion": EMOTION}
LOADERS = {"sentiment": sentiment_model.load, "emotion": emotion_model.load}


def fine_tune(
    home: Home, task: str, recipe: EncoderRecipe, *, languages: tuple[str, ...] = ("en",), progress: Progress = silent
) -> TrainedResult:
    """Fine-tune, measure, register.

    Args:
        home: the data folder.
        task: ``sentiment`` or ``emotion``.
        recipe: the encoder and the training settings.
        languages: languages of the texts that the model accepts.
        progress: callback after each step.

    Raises:
        InputError: the task is unknown, too few texts are labelled, torch is not installed, or the path has no encoder.
    """
    if task not in TASKS:
        raise InputError(
            expected=f"one of {', '.join(TASKS)}", found=repr(task), next_command="refrain model fine-tune --help"
        )
    clock = Clock(silent, 3)
    texts, left_out = LOADERS[task](home)
    parts = split(texts, seed=recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    validation_rows = np.sort(rng.choice(parts.train, max(len(parts.train) // 10, 1), replace=False))
    train, validation, test = (
        texts.take(rows) for rows in (np.setdiff1d(parts.train, validation_rows), validation_rows, parts.test)
    )
    clock.lap("texts")
    fitted = fit(
        train.texts,
        train.labels,
        texts.classes,
        recipe,
        validation=(validation.texts, validation.labels),
        progress=progress,
    )
    clock.lap("fit")
    files = {"model.onnx": fitted.onnx, "tokenizer.json": fitted.tokenizer.encode()}
    extra = {
        "kind": "encoder",
        "classes": texts.classes,
        "left_out": left_out,
        "languages": languages,
        "temperature": fitted.temperature,
        "encoder": recipe.path.rstrip("/").rpartition("/")[2],
        "epochs": recipe.epochs,
        "int8": recipe.int8,
    }
    served_encoder = predictor({"name": TASKS[task], "version": 0, "extra": extra}, files.__getitem__)
    class_shares = np.bincount(train.labels, minlength=len(texts.classes)) / len(train)
    answers = {
        MODEL_KEY: served_encoder(test.texts, test.tokens),
        "more_frequent_class": np.tile(class_shares, (len(test), 1)),
    }
    metrics = {
        "encoder" if method == MODEL_KEY else method: figures(class_metrics(test.labels, probabilities))
        for method, probabilities in answers.items()
    }
    clock.lap("measured")
    about = (
        f"{task.capitalize()} by the encoder {extra['encoder']}, {recipe.epochs:g} passes through {len(train):,} "
        f"texts, temperature {fitted.temperature:.2f} by {len(validation):,}; {len(test):,} whole texts asked about, "
        f"told apart by {parts.by}.{left_out_note(left_out)}"
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
