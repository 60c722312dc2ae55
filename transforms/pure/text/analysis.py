"""All that is said of a text, from one reading of it."""

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
"""Names of the registered models."""

FOREIGN = "in a language that sentiment and emotion were not learned in"
MIXED = "mixed scripts"
SECOND_SCRIPT = 0.2

Probabilities = Callable[[Sequence[str], Sequence[list[str]]], np.ndarray]
"""Texts, and their words → (n, classes)."""


@dataclass(frozen=True)
class Classifier:
    """What tells classes of texts apart.

    Attributes:
        classes: their names.
        predict: texts and their words → (n, classes) probabilities.
        languages: that it was learned in.
    """

    classes: tuple[str, ...]
    predict: Probabilities
    languages: frozenset[str]

    @classmethod
    def linear(cls, content: bytes, languages: Sequence[str]) -> "Classifier":
        """From a bundle of the default kind."""
        model = LinearText.from_bytes(content)
        return cls(model.classes, lambda _, tokens: model.predict(tokens), frozenset(languages))


@dataclass(frozen=True)
class TextModels:
    """The models that an analysis uses; what is missing is not told.

    Attributes:
        sentiment: negative, positive.
        emotion: its classes.
        latent: vectors and topics.
        subjectivity: word → 0 to 1, English.
    """

    sentiment: Classifier | None = None
    emotion: Classifier | None = None
    latent: LatentText | None = None
    subjectivity: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TextAnalysis:
    """Of one text; None where nothing can be told.

    Attributes:
        text: cleaned, and what tells who somebody is masked.
        masked: kind → how many there were.
        marks: what was done to it, or is wrong with it.
        language: ISO 639 code, ``und`` where there is no telling.
        language_confidence: 0 to 1.
        words: without punctuation.
        sentiment: probability of being positive, 0 to 1.
        emotions: class → probability.
        subjectivity: 0 for facts to 1 for opinions; English alone.
        explicitness: explicit words a hundred words; English alone.
        repetition: share of runs of three words that were there before.
        rhyme_density: share of lines that rhyme.
        vocabulary_richness: types over tokens, 0 to 1.
        topics: (t,) shares.
        vector: (d,) of length one.
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
    """Read texts. Never raises for what a text holds; time grows with its length, which is cut at ``clean.LONGEST``."""
    cleaned = [clean(text) for text in texts]
    masked = [mask(one.text) for one in cleaned]
    plain = [one.text for one in masked]
    tokens = [words(text) for text in plain]
    spoken = languages(plain)
    counted = [sum(token[0].isalpha() for token in found) for found in tokens]
    understood = {
        name: _understood(model, spoken, counted)
        for name, model in (("sentiment", models.sentiment), ("emotion", models.emotion))
    }
    sentiments = _predicted(models.sentiment, plain, tokens, understood["sentiment"])
    emotions = _predicted(models.emotion, plain, tokens, understood["emotion"])
    vectors = models.latent.vectors(tokens) if models.latent and texts else None
    topics = models.latent.topic_shares(tokens) if models.latent and texts else None
    english = _spoken(frozenset({"en"}), spoken, counted)
    found = []
    for place, one in enumerate(cleaned):
        marks = list(one.marks)
        shares = sorted(scripts(plain[place]).values())
        if len(shares) > 1 and shares[-2] >= SECOND_SCRIPT:
            marks.append(MIXED)
        if counted[place] and models.sentiment and not understood["sentiment"][place]:
            marks.append(FOREIGN)
        mine = tokens[place]
        feeling, mood = sentiments.get(place), emotions.get(place)
        found.append(
            TextAnalysis(
                plain[place],
                masked[place].counts,
                tuple(marks),
                *spoken[place],
                counted[place],
                None if feeling is None else float(feeling[1]),
                None
                if mood is None or models.emotion is None
                else dict(zip(models.emotion.classes, mood.tolist(), strict=True)),
                _known(measures.subjectivity(mine, models.subjectivity))
                if models.subjectivity and english[place]
                else None,
                _known(measures.explicitness(mine)) if english[place] else None,
                _known(measures.repetition(mine)),
                _known(measures.rhyme_density(plain[place])),
                _known(measures.vocabulary_richness(mine)),
                None if topics is None or not counted[place] else topics[place],
                None if vectors is None or not counted[place] else vectors[place],
            )
        )
    return found


def _understood(model: Classifier | None, spoken: Sequence[tuple[str, float]], counted: Sequence[int]) -> list[bool]:
    """Which texts a model may speak about."""
    return [False] * len(spoken) if model is None else _spoken(model.languages, spoken, counted)


def _spoken(known: frozenset[str], spoken: Sequence[tuple[str, float]], counted: Sequence[int]) -> list[bool]:
    """Which texts have words, and are surely in no other language than those."""
    return [
        count > 0 and (language in known or language == UNKNOWN or confidence < _sure(count))
        for (language, confidence), count in zip(spoken, counted, strict=True)
    ]


def _sure(count: int) -> float:
    """Confidence above which a language is believed: the fewer words, the more of it."""
    return 0.5 if count >= 8 else 0.7 if count >= 4 else 0.9


def _predicted(
    model: Classifier | None, plain: Sequence[str], tokens: Sequence[list[str]], understood: Sequence[bool]
) -> dict[int, np.ndarray]:
    places = [place for place, known in enumerate(understood) if known]
    if model is None or not places:
        return {}
    found = model.predict([plain[place] for place in places], [tokens[place] for place in places])
    return dict(zip(places, found, strict=True))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def models_from(
    read: Mapping[str, tuple[Mapping, Callable[[str], bytes]]], encoder: Callable | None = None
) -> TextModels:
    """Models from their bundles.

    Args:
        read: registered name → manifest and reader of its files; what is missing is left out.
        encoder: makes a predictor of a bundle of the extra ``deep``, given its reader and manifest.
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
