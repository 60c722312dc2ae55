"""``SentimentModel``: classifies texts as positive or negative.

The model is fitted to labelled texts and, with a small weight, to single words of VADER's lexicon. The newest whole
texts are the test, used once; the served model is then fitted to all texts.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.texts import FEWEST_A_CLASS, LabelledTexts, languages_of, left_out_note, owners, split
from training.evaluate.classification import class_metrics
from training.models.base import FamilyModel
from training.models.result import TrainedResult, figures, registered
from training.models.text import lexicons
from training.models.text.linear_stack import DEFAULT, Recipe, by_length, fit
from training.models.text.problem import TextProblem, parameters_of, recipe_with
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from transforms.pure.text.analysis import SENTIMENT
from transforms.pure.text.linear import LinearText

CLASSES = ("negative", "positive")
LEXICON_WEIGHT = 1.0
"""Weight of a lexicon word, relative to a text of ten words."""
TIMES = 2
"""Number of training examples per lexicon word; a single one would be too rare for the vocabulary."""
FEWEST = 40


def fit_sentiment(
    tokens: list[list[str]], labels: np.ndarray, *, recipe: Recipe = DEFAULT, lexicon: bool = True
) -> LinearText:
    """Fit to the words of n texts and labels (n,), 0 for negative and 1 for positive."""
    belong = owners(tokens)
    weights = by_length(tokens)
    if lexicon:
        strong_words = {word: value for word, value in lexicons.polarity().items() if abs(value) >= lexicons.STRONG}
        for _ in range(TIMES):
            tokens = [*tokens, *([word] for word in strong_words)]
            labels = np.concatenate([labels, np.array([value > 0 for value in strong_words.values()], np.int64)])
            belong = [*belong, *(np.empty(0, np.int64) for _ in strong_words)]
            weights = np.concatenate([weights, np.full(len(strong_words), LEXICON_WEIGHT / TIMES)])
    return fit(tokens, labels, CLASSES, belong, recipe=recipe, weights=weights)


def vader(texts: list[str] | tuple[str, ...]) -> np.ndarray:
    """Return the probabilities (n, 2) of the baseline VADER: its compound score, rescaled; a score of 0 is positive."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    score = np.array([analyzer.polarity_scores(text)["compound"] for text in texts])
    positive = np.clip(0.5 + score / 2, 0.0, 1.0)
    positive = np.where(score == 0, 0.5001, positive)
    return np.column_stack([1 - positive, positive])


def load(home: Home) -> tuple[LabelledTexts, dict[str, int]]:
    """Return the texts labelled positive and negative, and other labels with their numbers of texts.

    Raises:
        InputError: there are no labelled texts, or too few of one of the two.
    """
    labelled = LabelledTexts.load(home, "sentiment")
    texts, left_out = labelled.learnable(CLASSES)
    if texts.classes != CLASSES or len(texts) < FEWEST:
        raise InputError(
            expected=f"{FEWEST} texts labelled {' or '.join(CLASSES)}, at least {FEWEST_A_CLASS} of each",
            found=f"{len(labelled)} labelled {', '.join(labelled.classes[:8])}",
            next_command="refrain import texts PATH",
        )
    return texts, left_out


def fit_with(tokens: list[list[str]], labels: np.ndarray, recipe: Recipe) -> LinearText:
    """Fit with the words of the lexicon."""
    return fit_sentiment(tokens, labels, recipe=recipe)


def problem(home: Home, *, progress: Progress = silent) -> TextProblem:
    """Return the search problem of the strengths.

    Raises:
        InputError: for the reasons of ``load``.
    """
    texts, _ = load(home)
    return TextProblem.of(texts, DEFAULT, fit_with)


def run(
    home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent, seed: int = 0
) -> TrainedResult:
    """Fit, measure beside VADER and the more frequent class, register.

    Raises:
        InputError: for the reasons of ``load``.
    """
    clock = Clock(progress, 4)
    recipe = recipe_with(DEFAULT, parameters or {})
    texts, left_out = load(home)
    parts = split(texts, seed=seed)
    train, test = texts.take(parts.train), texts.take(parts.test)
    clock.lap("texts")
    model = fit_sentiment(list(train.tokens), train.labels, recipe=recipe)
    class_shares = np.bincount(train.labels, minlength=2) / len(train)
    answers = {
        MODEL_KEY: model.predict(test.tokens),
        "vader": vader(test.texts),
        "more_frequent_class": np.tile(class_shares, (len(test), 1)),
    }
    metrics = {
        SENTIMENT if method == MODEL_KEY else method: figures(class_metrics(test.labels, probabilities))
        for method, probabilities in answers.items()
    }
    floor = fit_sentiment(list(train.tokens), np.random.default_rng(seed).permutation(train.labels), recipe=recipe)
    clock.lap("measured")
    final = fit_sentiment(list(texts.tokens), texts.labels, recipe=recipe)
    clock.lap("fit")
    about = (
        f"Sentiment. {len(train):,} texts to learn from, {len(test):,} whole texts asked about, told apart by "
        f"{parts.by}; what serves was fitted to all {len(texts):,} and VADER's words."
        f"{left_out_note(left_out)}"
    )
    version = registered(
        home,
        SENTIMENT,
        about=about,
        files={
            "model.npz": final.to_bytes(),
            "subjectivity.json": json.dumps(lexicons.subjectivity()).encode(),
        },
        outputs=[("positive", "float64")],
        metrics=metrics,
        learned_from=texts.texts,
        cutoff=int(texts.times[-1]),
        extra={"kind": "linear", "classes": CLASSES, "left_out": left_out, "languages": languages_of(texts.texts)},
        evidence=Evidence.of_classes(test.texts, test.labels, {**answers, PERMUTED: floor.predict(test.tokens)}),
    )
    clock.lap("registration")
    return TrainedResult(SENTIMENT, version, about, metrics, clock.seconds)


MODEL = FamilyModel(
    name=SENTIMENT,
    family="text",
    about="Whether a text is well or ill disposed.",
    raw=("texts", "text_labels"),
    feeds=("track_text", "artist_text"),
    program=run,
    parameters=parameters_of(DEFAULT),
    make_problem=problem,
)
