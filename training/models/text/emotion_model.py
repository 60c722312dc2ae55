"""``EmotionModel``: anger, disgust, fear, joy, love, sadness, surprise, or none of them.

Learned from labelled texts and from words that name an emotion (``emotion_words``), which speak alone as long as too
little is labelled. The newest whole texts are held back and asked about once.
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
from training.models.base import FamilyModel
from training.models.result import TrainedResult, figures, registered
from training.models.text.emotion_words import seeds
from training.models.text.linear_stack import MemberRecipe, Recipe, by_length, fit
from training.models.text.problem import TextProblem, parameters_of, recipe_with
from training.validation.evidence import OURS, Evidence
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
"""Of a word that names an emotion against a text of ten words."""
NEUTRAL = 0.5
"""Share of texts that show no emotion, as long as labels do not tell."""
TELLING = 4.0
"""Log odds for its emotion of a word that names one, likewise."""
LANGUAGES = ("en",)


def fit_emotion(tokens: list[list[str]], labels: np.ndarray, recipe: Recipe = RECIPE) -> LinearText:
    """Fit to words and labels (n,), numbers of ``CLASSES``.

    With fewer texts of a class than there are folds, the words that name emotions speak alone (``naming``).
    """
    if np.bincount(labels, minlength=len(CLASSES)).min() < recipe.folds:
        return naming()
    told = [(words(text), CLASSES.index(emotion)) for text, emotion in seeds()]
    weights = by_length(tokens)
    return fit(
        [*tokens, *(text for text, _ in told)],
        np.concatenate([labels, [label for _, label in told]]).astype(np.int64),
        CLASSES,
        [*owners(tokens), *([np.empty(0, np.int64)] * len(told))],
        recipe=recipe,
        weights=np.concatenate([weights, np.full(len(told), SEED_WEIGHT)]),
    )


def naming() -> LinearText:
    """Each word that names an emotion speaks for it, all as strongly; without any, a text is neutral."""
    of_word = {text: CLASSES.index(emotion) for text, emotion in seeds() if emotion != "neutral"}
    vocabulary = sorted(of_word)
    table = np.zeros((len(vocabulary), len(CLASSES)), np.float32)
    table[np.arange(len(vocabulary)), [of_word[word] for word in vocabulary]] = TELLING
    bias = np.zeros(len(CLASSES))
    bias[CLASSES.index("neutral")] = np.log(NEUTRAL / (1 - NEUTRAL) * (len(CLASSES) - 1))
    space = Tfidf("runs", vocabulary, np.ones(len(vocabulary)))
    return LinearText(CLASSES, (space,), (Member(0, True, table, bias),), np.eye(len(CLASSES)), np.zeros(len(CLASSES)))


def load(home: Home) -> tuple[LabelledTexts, np.ndarray]:
    """What is learned from, and (n,) numbers of ``CLASSES``.

    Raises:
        InputError: there are no labelled texts, or labels that are no emotions.
    """
    texts = LabelledTexts.load(home, "emotion")
    strange = sorted(set(texts.classes) - set(CLASSES))
    if strange:
        raise InputError(
            expected=f"labels among {', '.join(CLASSES)}",
            found=", ".join(strange[:5]),
            next_command="python -m transforms import texts PATH",
        )
    return texts, np.array([CLASSES.index(texts.classes[label]) for label in texts.labels], np.int64)


def problem(home: Home, *, progress: Progress = silent) -> TextProblem:
    """What a search of its strengths asks about.

    Raises:
        InputError: as ``load`` does.
    """
    return TextProblem.of(*load(home), RECIPE, fit_emotion)


def run(
    home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent, seed: int = 0
) -> TrainedResult:
    """Fit, measure beside words that name emotions and the most frequent class, register.

    Raises:
        InputError: as ``load`` does.
    """
    clock = Clock(progress, 4)
    recipe = recipe_with(RECIPE, parameters or {})
    texts, labels = load(home)
    parts = split(texts, seed=seed)
    test = texts.take(parts.test)
    clock.lap("texts")
    model = fit_emotion([texts.tokens[row] for row in parts.train], labels[parts.train], recipe)
    truth = labels[parts.test]
    share = np.bincount(labels[parts.train], minlength=len(CLASSES)) / len(parts.train)
    answers = {
        OURS: model.predict(test.tokens),
        "words_that_name_one": naming().predict(test.tokens),
        "most_frequent_class": np.tile(share, (len(test), 1)),
    }
    metrics = {EMOTION if who == OURS else who: figures(class_metrics(truth, told)) for who, told in answers.items()}
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
        evidence=Evidence.of_classes(test.texts, truth, answers),
    )
    clock.lap("registration")
    return TrainedResult(EMOTION, version, about, metrics, clock.seconds)


MODEL = FamilyModel(
    name=EMOTION,
    family="text",
    about="Which emotion speaks from a text.",
    raw=("texts", "text_labels"),
    feeds=("track_text", "artist_text"),
    program=run,
    parameters=parameters_of(RECIPE),
    asks=problem,
)
