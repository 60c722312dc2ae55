"""Texts to answers: language, sentiment, emotion, tags, measures, vector; whatever is promoted.

Texts are read as in the batch run (``transforms.pure.text``), so a text in a request and the same text in a feature
table get the same values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from feature_repo.bundle import ALIASES, Bundle, open_bundle
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from inference.models import load_bundle
from transforms.pure.text.analysis import EMBEDDER, EMOTION, SENTIMENT, TextAnalysis, TextModels, analyze
from transforms.pure.text.bundles import ServedModels, served_models
from transforms.pure.text.tags import TaggerModel

TAGGER = "metadata_tagger"
MODELS = (SENTIMENT, EMOTION, EMBEDDER, TAGGER)
MOST_TEXTS = 10_000
"""Of one call."""
TAGS, LIKELY = 5, 0.05
"""Tags that are told at the most, and the least probability of one."""


@dataclass(frozen=True)
class TextAnswer:
    """Of one text.

    Attributes:
        analysis: what is said of it.
        tags: tag → probability, the likeliest first; None where there is no tagger or nothing to go by.
        topic: of the largest share, and its heaviest words; None without an embedder.
    """

    analysis: TextAnalysis
    tags: Mapping[str, float] | None
    topic: tuple[int, tuple[str, ...]] | None


class TextAnalyzer:
    """All that the promoted models say. Safe to share between threads.

    >>> from inference import TextAnalyzer                                             # doctest: +SKIP
    >>> TextAnalyzer.load().analyze(["a gem of a record"])[0].analysis.sentiment       # doctest: +SKIP
    0.93
    """

    def __init__(self, served: ServedModels, tagger: TaggerModel | None = None, tagger_version: str = "") -> None:
        self._served, self._tagger = served, tagger
        self.versions = dict(served.versions) | ({TAGGER: tagger_version} if tagger else {})
        latent = served.models.latent
        count = len(latent.topics) if latent else 0
        self._topic_words = [tuple(latent.topic_words(topic)) for topic in range(count)] if latent else []

    @classmethod
    def load(cls, home: Home | None = None, names: Mapping[str, str] | None = None) -> "TextAnalyzer":
        """What is promoted; without any model, language and measures are told.

        Args:
            home: the data folder; from the environment if None.
            names: registered name → version, such as ``{"sentiment_model": "sentiment_model:2"}``.

        Raises:
            BundleError: a bundle is damaged or does not fit the others, or one that is named is not there.
        """
        home = home or Home.from_env()
        served = served_models(home, names)
        asked = (names or {}).get(TAGGER, TAGGER)
        if asked == TAGGER and not (home.bundles(TAGGER) / ALIASES).is_file():
            return cls(served)
        bundle = load_bundle(asked, home)
        return cls(served, _tagger(bundle, served.models), bundle.name_version)

    @property
    def note(self) -> str | None:
        """What is not promoted, and how to change that; None if all is."""
        missing = [name for name in MODELS if name not in self.versions]
        if not missing:
            return None
        return f"not promoted: {', '.join(missing)}; python -m training run {missing[0]}, then promote it"

    def analyze(self, texts: Sequence[str | bytes]) -> list[TextAnswer]:
        """Read texts, ``MOST_TEXTS`` at the most.

        Raises:
            InputError: there are more, or one of them is neither text nor bytes.
        """
        found = analyze(checked(texts), self._served.models)
        tags = self._tags(found)
        return [
            TextAnswer(one, told, None if one.topics is None else self._topic(one.topics))
            for one, told in zip(found, tags, strict=True)
        ]

    def _topic(self, shares: np.ndarray) -> tuple[int, tuple[str, ...]]:
        largest = int(shares.argmax())
        return largest, self._topic_words[largest]

    def _tags(self, found: Sequence[TextAnalysis]) -> list[Mapping[str, float] | None]:
        rows = [
            None if one.vector is None or one.topics is None else np.concatenate([one.vector, one.topics])
            for one in found
        ]
        told: list[Mapping[str, float] | None] = [None] * len(found)
        places = [place for place, row in enumerate(rows) if row is not None]
        if self._tagger is None or not places:
            return told
        chances = self._tagger.probabilities(np.array([rows[place] for place in places]))
        for place, mine in zip(places, chances, strict=True):
            best = np.argsort(-mine, kind="stable")[:TAGS]
            told[place] = {self._tagger.tags[tag]: float(mine[tag]) for tag in best if mine[tag] >= LIKELY}
        return told


class _OneModel:
    """A model alone."""

    name: ClassVar[str]

    def __init__(self, models: TextModels, version: str) -> None:
        self._models, self.version = models, version

    @classmethod
    def load(cls, name: str = "", home: Home | None = None) -> Self:
        """Load a bundle.

        Args:
            name: such as ``sentiment_model`` for the champion, ``sentiment_model:2`` or ``sentiment_model_v2.0``; the
                champion if left out.
            home: the data folder; from the environment if None.

        Raises:
            BundleError: it is not there, or damaged.
        """
        served = _only(cls.name, name or cls.name, home)
        return cls(served.models, served.versions[cls.name])

    def _read(self, texts: Sequence[str | bytes]) -> list[TextAnalysis]:
        return analyze(checked(texts), self._models)


@dataclass(frozen=True)
class Sentiment:
    """Of one text; None where nothing can be told, ``marks`` say why."""

    label: str | None
    positive: float | None
    marks: tuple[str, ...]


class SentimentModel(_OneModel):
    """Positive or negative.

    >>> from inference import SentimentModel                                           # doctest: +SKIP
    >>> SentimentModel.load("sentiment_model").predict(["a gem", "a mess"])            # doctest: +SKIP
    """

    name = SENTIMENT

    def predict(self, texts: Sequence[str | bytes]) -> list[Sentiment]:
        """Answers, in the order of the texts."""
        return [
            Sentiment(None if one.sentiment is None else label(one.sentiment), one.sentiment, one.marks)
            for one in self._read(texts)
        ]


@dataclass(frozen=True)
class Emotion:
    """Of one text; None where nothing can be told, ``marks`` say why."""

    label: str | None
    emotions: Mapping[str, float] | None
    marks: tuple[str, ...]


class EmotionModel(_OneModel):
    """Anger, disgust, fear, joy, love, sadness, surprise, or neutral."""

    name = EMOTION

    def predict(self, texts: Sequence[str | bytes]) -> list[Emotion]:
        """Answers, in the order of the texts."""
        return [Emotion(likeliest(one.emotions), one.emotions, one.marks) for one in self._read(texts)]


class TextEmbedder(_OneModel):
    """Vectors in which texts about the same lie close together."""

    name = EMBEDDER

    def embed(self, texts: Sequence[str | bytes]) -> np.ndarray:
        """(n, d) float32 of length one; zeros where no word is known."""
        latent = self._models.latent
        assert latent is not None
        found = [one.vector for one in self._read(texts)]
        nothing = np.zeros(latent.dimensions, np.float32)
        return np.array([nothing if one is None else one for one in found]).reshape(len(found), latent.dimensions)


class MetadataTagger:
    """Genres, moods and other tags of a title, a description, tags that are there already, or all of them together."""

    def __init__(self, analyzer: TextAnalyzer) -> None:
        self._analyzer, self.version = analyzer, analyzer.versions[TAGGER]

    @classmethod
    def load(cls, name: str = TAGGER, home: Home | None = None) -> "MetadataTagger":
        """Load a bundle, and the embedder that it was trained on.

        Raises:
            BundleError: one of them is not there, damaged, or they do not fit.
        """
        home = home or Home.from_env()
        bundle, served = load_bundle(name, home), _only(EMBEDDER, EMBEDDER, home)
        models = TextModels(latent=served.models.latent)
        return cls(TextAnalyzer(replace(served, models=models), _tagger(bundle, models), bundle.name_version))

    def tag(self, texts: Sequence[str | bytes]) -> list[Mapping[str, float]]:
        """Tag → probability of each text, the likeliest first."""
        return [dict(one.tags or {}) for one in self._analyzer.analyze(texts)]


def label(positive: float) -> str:
    """In a word."""
    return "positive" if positive >= 0.5 else "negative"


def likeliest(chances: Mapping[str, float] | None) -> str | None:
    """The name with the largest probability; None of nothing."""
    return max(chances, key=chances.__getitem__) if chances else None


def checked(texts: Sequence[str | bytes]) -> Sequence[str | bytes]:
    """The texts, if they are some.

    Raises:
        InputError: too many, a single text in place of a list, or something else than text.
    """
    strange = [texts] if isinstance(texts, str | bytes) else [one for one in texts if not isinstance(one, str | bytes)]
    if strange or len(texts) > MOST_TEXTS:
        raise InputError(
            expected=f"a list of texts (str or UTF-8 bytes), {MOST_TEXTS:,} at the most",
            found=f"{type(strange[0]).__name__}" if strange else f"{len(texts):,}",
            next_command="python -m inference text --help",
        )
    return texts


def _only(kind: str, name: str, home: Home | None) -> ServedModels:
    home = home or Home.from_env()
    open_bundle(name, home)  # says what is wrong, if it is not there
    return served_models(home, {kind: name}, only=(kind,))


def _tagger(bundle: Bundle, models: TextModels) -> TaggerModel:
    model = TaggerModel.from_bytes(bundle.read("model.npz"))
    if models.latent is None or models.latent.fit != model.fit:
        raise BundleError(
            expected=f"the embedder that {bundle.name_version} was trained on (fit {model.fit})",
            found="none promoted" if models.latent is None else f"fit {models.latent.fit}",
            next_command="python -m transforms build && python -m training run metadata_tagger && "
            "python -m training promote metadata_tagger",
        )
    return model
