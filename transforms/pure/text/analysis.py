"""The complete analysis of a text: language, sentiment, emotion, measures, topics and vector."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from transforms.pure.text import measures
from transforms.pure.text.clean import clean
from transforms.pure.text.language import UNKNOWN, languages, scripts
from transforms.pure.text.latent import LatentText
from transforms.pure.text.linear import LinearText
from transforms.pure.text.pii import mask
from transforms.pure.text.words import words

SENTIMENT, EMOTION, EMBEDDER = "sentiment_model", "emotion_model", "text_embedder"
"""Names of the registered models: sentiment, emotion, vectors and topics."""

FOREIGN = "in a language that sentiment and emotion were not learned in"
MIXED = "mixed scripts"
SECOND_SCRIPT = 0.2

Probabilities = Callable[[Sequence[str], Sequence[list[str]]], np.ndarray]
"""Texts, and their words → (n, classes)."""


@dataclass(frozen=True)
class Classifier:
    """A classifier of texts.

    Attributes:
        classes: names of the classes.
        predict: function from texts and their words to (n, classes) probabilities.
        languages: languages of the training texts, as ISO 639 codes.
    """

    classes: tuple[str, ...]
    predict: Probabilities
    languages: frozenset[str]

    @classmethod
    def linear(cls, content: bytes, languages: Sequence[str]) -> "Classifier":
        """Create a linear classifier from the bytes of its bundle."""
        model = LinearText.from_bytes(content)
        return cls(model.classes, lambda _, tokens: model.predict(tokens), frozenset(languages))


@dataclass(frozen=True)
class TextModels:
    """The models of an analysis; without a model its results are None.

    Attributes:
        sentiment: classifier with the classes negative and positive.
        emotion: classifier of emotions.
        latent: model of vectors and topics.
        subjectivity: lexicon of English words: word → subjectivity from 0 to 1.
    """

    sentiment: Classifier | None = None
    emotion: Classifier | None = None
    latent: LatentText | None = None
    subjectivity: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TextAnalysis:
    """The analysis of one text; None where a result cannot be computed.

    Attributes:
        text: cleaned text with personal data masked.
        masked: kind of personal data → number of masked places.
        marks: changes by cleaning, and problems of the text.
        language: ISO 639 code; ``und`` if undetermined.
        language_confidence: 0 to 1.
        words: number of words, without punctuation.
        sentiment: probability of the positive class, 0 to 1.
        emotions: class → probability.
        subjectivity: 0 for facts to 1 for opinions; English only.
        explicitness: explicit words per hundred words; English only.
        repetition: share of three-word sequences that occurred before.
        rhyme_density: share of lines that rhyme.
        vocabulary_richness: types over tokens, 0 to 1.
        topics: (t,) shares of topics.
        vector: (d,) unit vector.
    """

    text: str
    masked: Mapping[str, int]
    marks: tuple[str, ...]
    language: str
    language_confidence: float
    words: int
    sentiment: float | None
    emotions: Mapping[str, float] | None
    subjectivity: float | None
    explicitness: float | None
    repetition: float | None
    rhyme_density: float | None
    vocabulary_richness: float | None
    topics: np.ndarray | None
    vector: np.ndarray | None


def analyze(texts: Sequence[str | bytes], models: TextModels) -> list[TextAnalysis]:
    """Analyse texts. Never raises because of their content; texts are cut at ``clean.LONGEST`` to bound the time."""
    cleaned = [clean(text) for text in texts]
    masked = [mask(text.text) for text in cleaned]
    plain = [text.text for text in masked]
    tokens = [words(text) for text in plain]
    detected = languages(plain)
    word_counts = [sum(token[0].isalpha() for token in text_tokens) for text_tokens in tokens]
    in_scope = {
        name: _in_scope(model, detected, word_counts)
        for name, model in (("sentiment", models.sentiment), ("emotion", models.emotion))
    }
    sentiments = _predict(models.sentiment, plain, tokens, in_scope["sentiment"])
    emotions = _predict(models.emotion, plain, tokens, in_scope["emotion"])
    vectors = models.latent.vectors(tokens) if models.latent and texts else None
    topics = models.latent.topic_shares(tokens) if models.latent and texts else None
    english = _in_languages(frozenset({"en"}), detected, word_counts)
    analyses = []
    for index, cleaned_text in enumerate(cleaned):
        marks = list(cleaned_text.marks)
        shares = sorted(scripts(plain[index]).values())
        if len(shares) > 1 and shares[-2] >= SECOND_SCRIPT:
            marks.append(MIXED)
        if word_counts[index] and models.sentiment and not in_scope["sentiment"][index]:
            marks.append(FOREIGN)
        text_tokens = tokens[index]
        sentiment_probabilities, emotion_probabilities = sentiments.get(index), emotions.get(index)
        analyses.append(
            TextAnalysis(
                plain[index],
                masked[index].counts,
                tuple(marks),
                *detected[index],
                word_counts[index],
                None if sentiment_probabilities is None else float(sentiment_probabilities[1]),
                None
                if emotion_probabilities is None or models.emotion is None
                else dict(zip(models.emotion.classes, emotion_probabilities.tolist(), strict=True)),
                _none_if_nan(measures.subjectivity(text_tokens, models.subjectivity))
                if models.subjectivity and english[index]
                else None,
                _none_if_nan(measures.explicitness(plain[index], text_tokens)) if english[index] else None,
                _none_if_nan(measures.repetition(text_tokens)),
                _none_if_nan(measures.rhyme_density(plain[index])),
                _none_if_nan(measures.vocabulary_richness(text_tokens)),
                None if topics is None or not word_counts[index] else topics[index],
                None if vectors is None or not word_counts[index] else vectors[index],
            )
        )
    return analyses


def _in_scope(
    model: Classifier | None, detected: Sequence[tuple[str, float]], word_counts: Sequence[int]
) -> list[bool]:
    """Whether each text is in a language of the model; False for all without a model."""
    return [False] * len(detected) if model is None else _in_languages(model.languages, detected, word_counts)


def _in_languages(
    allowed: frozenset[str], detected: Sequence[tuple[str, float]], word_counts: Sequence[int]
) -> list[bool]:
    """Whether each text has words, and is not with confidence in a language outside ``allowed``."""
    return [
        count > 0 and (language in allowed or language == UNKNOWN or confidence < _language_threshold(count))
        for (language, confidence), count in zip(detected, word_counts, strict=True)
    ]


def _language_threshold(count: int) -> float:
    """Confidence from which a detected language is trusted; higher for short texts."""
    return 0.5 if count >= 8 else 0.7 if count >= 4 else 0.9


def _predict(
    model: Classifier | None, plain: Sequence[str], tokens: Sequence[list[str]], in_scope: Sequence[bool]
) -> dict[int, np.ndarray]:
    indices = [index for index, is_in_scope in enumerate(in_scope) if is_in_scope]
    if model is None or not indices:
        return {}
    probabilities = model.predict([plain[index] for index in indices], [tokens[index] for index in indices])
    return dict(zip(indices, probabilities, strict=True))


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def models_from(
    read: Mapping[str, tuple[Mapping, Callable[[str], bytes]]], encoder: Callable | None = None
) -> TextModels:
    """Create the models from their bundles.

    Args:
        read: registered name → manifest and reader of the bundle's files; models without a bundle are None.
        encoder: function that creates the predictor of an encoder bundle (extra ``deep``) from manifest and reader.
    """

    def classifier(name: str) -> Classifier | None:
        if name not in read:
            return None
        manifest, content = read[name]
        extra = manifest["extra"]
        if extra["kind"] == "encoder":
            if encoder is None:
                raise ValueError(f"{name} is an encoder")
            return Classifier(tuple(extra["classes"]), encoder(manifest, content), frozenset(extra["languages"]))
        return Classifier.linear(content("model.npz"), extra["languages"])

    latent = LatentText.from_bytes(read[EMBEDDER][1]("model.npz")) if EMBEDDER in read else None
    subjectivity = json.loads(read[SENTIMENT][1]("subjectivity.json")) if SENTIMENT in read else {}
    return TextModels(classifier(SENTIMENT), classifier(EMOTION), latent, subjectivity)
