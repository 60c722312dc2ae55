"""``EmotionModel``: classifies texts as anger, disgust, fear, joy, love, sadness, surprise or neutral.

The model is fitted to labelled texts and to words that name an emotion (``emotion_words``). With too few labels it uses
these words alone. The newest whole texts are the test, used once.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.emotions import EMOTIONS
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.texts import LabelledTexts, owners, split
from training.evaluate.classification import class_metrics
from training.models.base import FamilyModel, Gates
from training.models.result import TrainedResult, figures, registered
from training.models.text.emotion_words import seeds
from training.models.text.linear_stack import MemberRecipe, Recipe, by_length, fit
from training.models.text.problem import TextProblem, parameters_of, recipe_with
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from transforms.pure.text.analysis import EMOTION
from transforms.pure.text.linear import LinearText, Member
from transforms.pure.text.tfidf import Tfidf
from transforms.pure.text.words import words

CLASSES = EMOTIONS
RECIPE = Recipe(
    members=(MemberRecipe("runs", present=False, strength=5.0), MemberRecipe("parts", present=False, strength=3.0)),
    strength=1.0,
    fewest=1,
)
SEED_WEIGHT = 1.0
"""Weight of a word that names an emotion, relative to a text of ten words."""
NEUTRAL = 0.5
"""Assumed share of neutral texts, until texts are labelled."""
TELLING = 4.0
"""Assumed log odds that a word that names an emotion gives to this emotion, until texts are labelled."""
LANGUAGES = ("en",)


def fit_emotion(tokens: list[list[str]], labels: np.ndarray, recipe: Recipe = RECIPE) -> LinearText:
    """Fit to the words of n texts and labels (n,), which are numbers of ``CLASSES``.

    If a class has fewer texts than there are folds, the result is the model of emotion words alone (``naming``).
    """
    if np.bincount(labels, minlength=len(CLASSES)).min() < recipe.folds:
        return naming()
    seed_texts = [(words(text), CLASSES.index(emotion)) for text, emotion in seeds()]
    weights = by_length(tokens)
    return fit(
        [*tokens, *(text for text, _ in seed_texts)],
        np.concatenate([labels, [label for _, label in seed_texts]]).astype(np.int64),
        CLASSES,
        [*owners(tokens), *([np.empty(0, np.int64)] * len(seed_texts))],
        recipe=recipe,
        weights=np.concatenate([weights, np.full(len(seed_texts), SEED_WEIGHT)]),
    )


def naming() -> LinearText:
    """Return the model of emotion words alone: equal weights for all words; a text without any is neutral."""
    class_of_word = {text: CLASSES.index(emotion) for text, emotion in seeds() if emotion != "neutral"}
    vocabulary = sorted(class_of_word)
    weights = np.zeros((len(vocabulary), len(CLASSES)), np.float32)
    weights[np.arange(len(vocabulary)), [class_of_word[word] for word in vocabulary]] = TELLING
    bias = np.zeros(len(CLASSES))
    bias[CLASSES.index("neutral")] = np.log(NEUTRAL / (1 - NEUTRAL) * (len(CLASSES) - 1))
    space = Tfidf("runs", vocabulary, np.ones(len(vocabulary)))
    return LinearText(
        CLASSES, (space,), (Member(0, True, weights, bias),), np.eye(len(CLASSES)), np.zeros(len(CLASSES))
    )


def load(home: Home) -> tuple[LabelledTexts, np.ndarray]:
    """Return the labelled texts and their labels (n,), which are numbers of ``CLASSES``.

    Raises:
        InputError: there are no labelled texts, or some labels are not emotions.
    """
    texts = LabelledTexts.load(home, "emotion")
    unknown_labels = sorted(set(texts.classes) - set(CLASSES))
    if unknown_labels:
        raise InputError(
            expected=f"labels among {', '.join(CLASSES)}",
            found=", ".join(unknown_labels[:5]),
            next_command="refrain import texts PATH",
        )
    return texts, np.array([CLASSES.index(texts.classes[label]) for label in texts.labels], np.int64)


def problem(home: Home, *, progress: Progress = silent) -> TextProblem:
    """Return the search problem of the strengths.

    Raises:
        InputError: for the reasons of ``load``.
    """
    return TextProblem.of(*load(home), RECIPE, fit_emotion)


def run(
    home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent, seed: int = 0
) -> TrainedResult:
    """Fit, measure beside emotion words alone and the most frequent class, register.

    Raises:
        InputError: for the reasons of ``load``.
    """
    clock = Clock(progress, 4)
    recipe = recipe_with(RECIPE, parameters or {})
    texts, labels = load(home)
    parts = split(texts, seed=seed)
    test = texts.take(parts.test)
    clock.lap("texts")
    model = fit_emotion([texts.tokens[row] for row in parts.train], labels[parts.train], recipe)
    truth = labels[parts.test]
    class_shares = np.bincount(labels[parts.train], minlength=len(CLASSES)) / len(parts.train)
    answers = {
        MODEL_KEY: model.predict(test.tokens),
        "words_that_name_one": naming().predict(test.tokens),
        "most_frequent_class": np.tile(class_shares, (len(test), 1)),
    }
    metrics = {
        EMOTION if method == MODEL_KEY else method: figures(class_metrics(truth, probabilities))
        for method, probabilities in answers.items()
    }
    permuted_labels = np.random.default_rng(seed).permutation(labels[parts.train])
    floor = fit_emotion([texts.tokens[row] for row in parts.train], permuted_labels, recipe)
    clock.lap("measured")
    final = fit_emotion(list(texts.tokens), labels, recipe)
    clock.lap("fit")
    about = (
        f"Emotion. {len(parts.train):,} texts to learn from, {len(test):,} whole texts asked about, told apart by "
        f"{parts.by}; what serves was fitted to all {len(texts):,} and {len(seeds()):,} words and phrases."
    )
    version = registered(
        home,
        EMOTION,
        about=about,
        files={"model.npz": final.to_bytes()},
        outputs=[(name, "float64") for name in CLASSES],
        metrics=metrics,
        learned_from=texts.texts,
        cutoff=int(texts.times[-1]),
        extra={"kind": "linear", "classes": CLASSES, "languages": LANGUAGES},
        evidence=Evidence.of_classes(test.texts, truth, {**answers, PERMUTED: floor.predict(test.tokens)}),
    )
    clock.lap("registration")
    return TrainedResult(EMOTION, version, about, metrics, clock.seconds)


MODEL = FamilyModel(
    name=EMOTION,
    family="text",
    about="Which emotion speaks from a text.",
    raw=("texts", "text_labels"),
    feeds=("track_text", "artist_text"),
    gates=Gates(plain={"words_that_name_one": 0.05}),
    program=run,
    parameters=parameters_of(RECIPE),
    make_problem=problem,
)
