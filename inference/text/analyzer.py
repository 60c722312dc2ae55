"""Analyses texts: language, sentiment, emotion, tags, measures and vectors, by the models that are promoted.

Texts are analysed as in the batch run (``transforms.pure.text``), so a text in a request and the same text in a feature
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
"""Maximum number of texts in one call."""
MAX_TAGS, MIN_PROBABILITY = 5, 0.05
"""Maximum number of tags of a text, and the lowest probability of a tag."""


@dataclass(frozen=True)
class TextAnswer:
    """The analysis of one text, with tags and its main topic.

    Attributes:
        analysis: language, sentiment, emotions, measures and vector.
        tags: tag → probability, the likeliest first; None without a tagger or without known words.
        topic: number of the topic with the largest share, and its heaviest words; None without an embedder.
    """

    analysis: TextAnalysis
    tags: Mapping[str, float] | None
    topic: tuple[int, tuple[str, ...]] | None


class TextAnalyzer:
    """Analyses texts with all promoted models. Safe to share between threads.

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
        """Load the promoted models; without any, the analysis has only language and measures.

        Args:
            home: the data folder; from the environment if None.
            names: registered name → version, such as ``{"sentiment_model": "sentiment_model:2"}``.

        Raises:
            BundleError: a bundle is damaged or does not fit the others, or a named bundle is missing.
        """
        home = home or Home.from_env()
        served = served_models(home, names)
        tagger_name = (names or {}).get(TAGGER, TAGGER)
        if tagger_name == TAGGER and not (home.bundles(TAGGER) / ALIASES).is_file():
            return cls(served)
        bundle = load_bundle(tagger_name, home)
        return cls(served, _tagger(bundle, served.models), bundle.name_version)

    @property
    def note(self) -> str | None:
        """Models that are not promoted, and how to change that; None if all are."""
        missing = [name for name in MODELS if name not in self.versions]
        if not missing:
            return None
        return f"not promoted: {', '.join(missing)}; refrain model run {missing[0]}, then promote it"

    def analyze(self, texts: Sequence[str | bytes]) -> list[TextAnswer]:
        """Analyse at most ``MOST_TEXTS`` texts.

        Raises:
            InputError: there are more, or one of them is neither ``str`` nor ``bytes``.
        """
        analyses = analyze(checked(texts), self._served.models)
        tags = self._tags(analyses)
        return [
            TextAnswer(analysis, text_tags, None if analysis.topics is None else self._topic(analysis.topics))
            for analysis, text_tags in zip(analyses, tags, strict=True)
        ]

    def _topic(self, shares: np.ndarray) -> tuple[int, tuple[str, ...]]:
        largest = int(shares.argmax())
        return largest, self._topic_words[largest]

    def _tags(self, analyses: Sequence[TextAnalysis]) -> list[Mapping[str, float] | None]:
        rows = [
            None
            if analysis.vector is None or analysis.topics is None
            else np.concatenate([analysis.vector, analysis.topics])
            for analysis in analyses
        ]
        tags: list[Mapping[str, float] | None] = [None] * len(analyses)
        tagged = [number for number, row in enumerate(rows) if row is not None]
        if self._tagger is None or not tagged:
            return tags
        chances = self._tagger.probabilities(np.array([rows[number] for number in tagged]))
        for number, probabilities in zip(tagged, chances, strict=True):
            top = np.argsort(-probabilities, kind="stable")[:MAX_TAGS]
            tags[number] = {
                self._tagger.tags[tag]: float(probabilities[tag])
                for tag in top
                if probabilities[tag] >= MIN_PROBABILITY
            }
        return tags


class _SingleModel:
    """A single text model."""

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
            BundleError: the bundle is missing or damaged.
        """
        served = _load_only(cls.name, name or cls.name, home)
        return cls(served.models, served.versions[cls.name])

    def _read(self, texts: Sequence[str | bytes]) -> list[TextAnalysis]:
        return analyze(checked(texts), self._models)


@dataclass(frozen=True)
class Sentiment:
    """The sentiment of one text; None where it cannot be determined, ``marks`` say why."""

    label: str | None
    positive: float | None
    marks: tuple[str, ...]


class SentimentModel(_SingleModel):
    """Classifies texts as positive or negative.

    >>> from inference import SentimentModel                                           # doctest: +SKIP
    >>> SentimentModel.load("sentiment_model").predict(["a gem", "a mess"])            # doctest: +SKIP
    """

    name = SENTIMENT

    def predict(self, texts: Sequence[str | bytes]) -> list[Sentiment]:
        """Classify texts; results are in the order of the texts."""
        return [
            Sentiment(
                None if analysis.sentiment is None else label(analysis.sentiment), analysis.sentiment, analysis.marks
            )
            for analysis in self._read(texts)
        ]


@dataclass(frozen=True)
class Emotion:
    """The emotions of one text; None where they cannot be determined, ``marks`` say why."""

    label: str | None
    emotions: Mapping[str, float] | None
    marks: tuple[str, ...]


class EmotionModel(_SingleModel):
    """Classifies texts as anger, disgust, fear, joy, love, sadness, surprise or neutral.

    >>> EmotionModel.load().predict(["I miss you"])[0].label                        # doctest: +SKIP
    'sadness'
    """

    name = EMOTION

    def predict(self, texts: Sequence[str | bytes]) -> list[Emotion]:
        """Classify texts; results are in the order of the texts."""
        return [
            Emotion(likeliest(analysis.emotions), analysis.emotions, analysis.marks) for analysis in self._read(texts)
        ]


class TextEmbedder(_SingleModel):
    """Embeds texts as vectors; texts about the same subject lie close together.

    >>> TextEmbedder.load().embed(["songs about rain", "rainy day music"]).shape    # doctest: +SKIP
    (2, 128)
    """

    name = EMBEDDER

    def embed(self, texts: Sequence[str | bytes]) -> np.ndarray:
        """Return (n, d) float32 unit vectors; zeros where no word is known."""
        latent = self._models.latent
        assert latent is not None
        vectors = [analysis.vector for analysis in self._read(texts)]
        zeros = np.zeros(latent.dimensions, np.float32)
        return np.array([zeros if vector is None else vector for vector in vectors]).reshape(
            len(vectors), latent.dimensions
        )


class MetadataTagger:
    """Predicts genres, moods and other tags from a title, a description, existing tags, or all of them together.

    >>> MetadataTagger.load().tag(["late night piano trio"])[0]                     # doctest: +SKIP
    {'jazz': 0.83}
    """

    def __init__(self, analyzer: TextAnalyzer) -> None:
        self._analyzer, self.version = analyzer, analyzer.versions[TAGGER]

    @classmethod
    def load(cls, name: str = TAGGER, home: Home | None = None) -> "MetadataTagger":
        """Load a bundle, and the embedder that it was trained on.

        Raises:
            BundleError: one of them is missing or damaged, or they do not fit.
        """
        home = home or Home.from_env()
        bundle, served = load_bundle(name, home), _load_only(EMBEDDER, EMBEDDER, home)
        models = TextModels(latent=served.models.latent)
        return cls(TextAnalyzer(replace(served, models=models), _tagger(bundle, models), bundle.name_version))

    def tag(self, texts: Sequence[str | bytes]) -> list[Mapping[str, float]]:
        """Return tag → probability for each text, the likeliest first."""
        return [dict(answer.tags or {}) for answer in self._analyzer.analyze(texts)]


def label(positive: float) -> str:
    """Return the label for a probability of being positive."""
    return "positive" if positive >= 0.5 else "negative"


def likeliest(chances: Mapping[str, float] | None) -> str | None:
    """Return the name with the largest probability; None if there are none."""
    return max(chances, key=chances.__getitem__) if chances else None


def checked(texts: Sequence[str | bytes]) -> Sequence[str | bytes]:
    """Return the texts if they are valid.

    Raises:
        InputError: there are too many, it is a single text instead of a list, or an element is not a text.
    """
    invalid = (
        [texts] if isinstance(texts, str | bytes) else [text for text in texts if not isinstance(text, str | bytes)]
    )
    if invalid or len(texts) > MOST_TEXTS:
        raise InputError(
            expected=f"a list of texts (str or UTF-8 bytes), {MOST_TEXTS:,} at the most",
            found=f"{type(invalid[0]).__name__}" if invalid else f"{len(texts):,}",
            next_command="refrain text --help",
        )
    return texts


def _load_only(kind: str, name: str, home: Home | None) -> ServedModels:
    home = home or Home.from_env()
    open_bundle(name, home)  # raises if the bundle is missing
    return served_models(home, {kind: name}, only=(kind,))


def _tagger(bundle: Bundle, models: TextModels) -> TaggerModel:
    model = TaggerModel.from_bytes(bundle.read("model.npz"))
    if models.latent is None or models.latent.fit != model.fit:
        raise BundleError(
            expected=f"the embedder that {bundle.name_version} was trained on (fit {model.fit})",
            found="none promoted" if models.latent is None else f"fit {models.latent.fit}",
            next_command="refrain build && refrain model run metadata_tagger && refrain model promote metadata_tagger",
        )
    return model
