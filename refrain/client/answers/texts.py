"""Analyses of texts."""

import msgspec


class AnalyzedText(msgspec.Struct, frozen=True):
    """The analysis of one text; None where a value cannot be determined.

    Attributes:
        text: the text, cleaned and with personal data masked.
        masked: kind of masked data → count.
        marks: changes to the text, or defects of it.
        language: ISO 639; ``und`` if undetermined.
        positive: probability of a positive sentiment.
        topic: heaviest words of the topic with the largest share.
        subjectivity: 0 for facts, 1 for opinions; English.
        explicitness: explicit words per hundred words; English.
        vector: the vector of the text, if it was wanted.
    """

    text: str
    masked: dict[str, int]
    marks: list[str]
    language: str
    language_confidence: float
    words: int
    sentiment: str | None
    positive: float | None
    emotion: str | None
    emotions: dict[str, float] | None
    tags: dict[str, float] | None
    topic: list[str] | None
    subjectivity: float | None
    explicitness: float | None
    repetition: float | None
    rhyme_density: float | None
    vocabulary_richness: float | None
    vector: list[float] | None = None


class TextAnalyses(msgspec.Struct, frozen=True):
    """Analyses of texts.

    Attributes:
        results: one analysis for each text, in their order.
        models: model → name and version.
        note: which models are missing; None if none is.
    """

    results: list[AnalyzedText]
    models: dict[str, str]
    note: str | None = None
