"""``EmotionModel``: classifies texts by the emotions that they were labelled with.

The classes are those of the labels, such as anger, joy, optimism and sadness. A class with fewer than
``FEWEST_A_CLASS`` texts is left out, and the report names it. Beside the texts the model is fitted to words that name
one of these emotions (``emotion_words``). The newest whole texts are the test, used once.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.texts import FEWEST_A_CLASS, LabelledTexts, languages_of, left_out_note, owners, split
from training.evaluate.classification import class_metrics
from training.models.base import FamilyModel, Gates
from training.models.result import TrainedResult, figures, registered
from training.models.text.emotion_words import seeds
from training.models.text.linear_stack import MemberRecipe, Recipe, by_length, fit
from training.models.text.problem import TextProblem, chances, parameters_of, recipe_with
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from transforms.pure.text.analysis import EMOTION
from transforms.pure.text.linear import LinearText, Member
from transforms.pure.text.tfidf import Tfidf
from transforms.pure.text.words import words

RECIPE = Recipe(
    members=(
        MemberRecipe("runs", present=False, strength=5.0),
        MemberRecipe("parts", present=False, strength=3.0),
        MemberRecipe("parts", present=True, strength=0.02),
    ),
    strength=0.1,
    fewest=1,
)
"""Chosen on 3,200 sentences of SST-2 and on short texts of 23 classes, as no labelled emotions are there."""
SEED_WEIGHT = 1.0
"""Weight of a word that names an emotion, relative to a text of ten words."""
NEUTRAL = 0.5
"""Assumed share of neutral texts, without labels."""
TELLING = 4.0
"""Assumed log odds that a word that names an emotion gives to this emotion."""


def fit_emotion(
    tokens: list[list[str]], labels: np.ndarray, recipe: Recipe = RECIPE, *, classes: tuple[str, ...]
) -> LinearText:
    """Fit to the words of n texts and labels (n,), which are numbers of ``classes``.

    The model knows the classes with at least as many texts as the recipe has folds.

    Raises:
        InputError: fewer than two classes have as many.
    """
    known = np.flatnonzero(np.bincount(labels, minlength=len(classes)) >= recipe.folds)
    if len(known) < 2:
        raise InputError(
            expected=f"{recipe.folds} texts to learn from of each of two emotions",
            found=f"{len(labels)} texts, {len(known)} emotions with as many",
            next_command="refrain import texts PATH",
        )
    names = tuple(classes[number] for number in known)
    is_known = np.isin(labels, known)
    known_tokens = [text_tokens for text_tokens, has_class in zip(tokens, is_known, strict=True) if has_class]
    seed_texts = [(words(text), names.index(emotion)) for text, emotion in seeds() if emotion in names]
    return fit(
        [*known_tokens, *(text for text, _ in seed_texts)],
        np.concatenate([np.searchsorted(known, labels[is_known]), [label for _, label in seed_texts]]).astype(np.int64),
        names,
        [*owners(known_tokens), *([np.empty(0, np.int64)] * len(seed_texts))],
        recipe=recipe,
        weights=np.concatenate([by_length(known_tokens), np.full(len(seed_texts), SEED_WEIGHT)]),
    )


def naming(classes: tuple[str, ...], shares: np.ndarray | None = None) -> LinearText:
    """Return the model of emotion words alone, with equal weights for all words.

    Args:
        classes: names of the classes; a class without words is known by its share alone.
        shares: (classes,) shares of the classes among all texts; by default half of them are neutral.
    """
    class_of_word = {
        text: classes.index(emotion) for text, emotion in seeds() if emotion in classes and emotion != "neutral"
    }
    vocabulary = sorted(class_of_word)
    weights = np.zeros((len(vocabulary), len(classes)), np.float32)
    weights[np.arange(len(vocabulary)), [class_of_word[word] for word in vocabulary]] = TELLING
    bias = np.zeros(len(classes))
    if shares is not None:
        bias = np.log(np.maximum(shares, 1e-3))
    elif "neutral" in classes:
        bias[classes.index("neutral")] = np.log(NEUTRAL / (1 - NEUTRAL) * (len(classes) - 1))
    if len(classes) == 2:
        weights, bias = weights[:, 1:] - weights[:, :1], bias[1:] - bias[:1]
    space = Tfidf("runs", vocabulary, np.ones(len(vocabulary)))
    columns = len(bias)
    return LinearText(classes, (space,), (Member(0, True, weights, bias),), np.eye(columns), np.zeros(columns))


def load(home: Home) -> tuple[LabelledTexts, dict[str, int]]:
    """Return the texts of the classes that can be learned, and the classes left out with their numbers of texts.

    Raises:
        InputError: there are no labelled texts, or fewer than two classes can be learned.
    """
    texts, left_out = LabelledTexts.load(home, "emotion").learnable()
    if len(texts.classes) < 2:
        counts = {**left_out, **{name: len(texts) for name in texts.classes}}
        raise InputError(
            expected=f"two emotions with at least {FEWEST_A_CLASS} labelled texts each",
            found=", ".join(f"{name} {count}" for name, count in sorted(counts.items())[:8]),
            next_command="refrain import texts PATH",
        )
    return texts, left_out


def problem(home: Home, *, progress: Progress = silent) -> TextProblem:
    """Return the search problem of the strengths.

    Raises:
        InputError: for the reasons of ``load``.
    """
    texts, _ = load(home)
    return TextProblem.of(texts, RECIPE, partial(fit_emotion, classes=texts.classes))


def run(
    home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent, seed: int = 0
) -> TrainedResult:
    """Fit, measure beside emotion words alone and the most frequent class, register.

    Raises:
        InputError: for the reasons of ``load``, or the texts before the test have fewer than two classes.
    """
    clock = Clock(progress, 4)
    recipe = recipe_with(RECIPE, parameters or {})
    texts, left_out = load(home)
    classes = texts.classes
    parts = split(texts, seed=seed)
    train, test = texts.take(parts.train), texts.take(parts.test)
    clock.lap("texts")
    model = fit_emotion(list(train.tokens), train.labels, recipe, classes=classes)
    class_shares = np.bincount(train.labels, minlength=len(classes)) / len(train)
    answers = {
        MODEL_KEY: chances(model, test.tokens, classes),
        "words_that_name_one": naming(classes, class_shares).predict(test.tokens),
        "most_frequent_class": np.tile(class_shares, (len(test), 1)),
    }
    metrics = {
        EMOTION if method == MODEL_KEY else method: figures(class_metrics(test.labels, probabilities))
        for method, probabilities in answers.items()
    }
    permuted_labels = np.random.default_rng(seed).permutation(train.labels)
    floor = fit_emotion(list(train.tokens), permuted_labels, recipe, classes=classes)
    answers[PERMUTED] = chances(floor, test.tokens, classes)
    clock.lap("measured")
    final = fit_emotion(list(texts.tokens), texts.labels, recipe, classes=classes)
    clock.lap("fit")
    about = (
        f"Emotion: {', '.join(classes)}. {len(train):,} texts to learn from, {len(test):,} whole texts asked about, "
        f"told apart by {parts.by}; what serves was fitted to all {len(texts):,} and to words that name these emotions."
        f"{left_out_note(left_out)}"
    )
    version = registered(
        home,
        EMOTION,
        about=about,
        files={"model.npz": final.to_bytes()},
        outputs=[(name, "float64") for name in final.classes],
        metrics=metrics,
        learned_from=texts.texts,
        cutoff=int(texts.times[-1]),
        extra={
            "kind": "linear",
            "classes": final.classes,
            "left_out": left_out,
            "languages": languages_of(texts.texts),
        },
        evidence=Evidence.of_classes(test.texts, test.labels, answers),
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
