"""Schemas of requests and responses for text analysis."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

LONGEST_TEXT, MOST_TEXTS = 1_000_000, 256
"""Maximum characters of a text (the first 20,000 are read), and maximum texts of a request."""


class AnalyzeRequest(BaseModel):
    """One text, or several."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"texts": ["A gem of a record, not a weak song on it.", "Je t'aime"]}],
            "oneOf": [
                {"required": [one], "properties": {one: {"type": kind}, other: {"type": "null"}}}
                for one, kind, other in (("text", "string", "texts"), ("texts", "array", "text"))
            ],
        },
    )

    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    texts: list[Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]] | None = Field(
        default=None, max_length=MOST_TEXTS
    )
    vectors: bool = Field(default=False, strict=True, description="whether to return vectors")

    @model_validator(mode="after")
    def _either(self) -> "AnalyzeRequest":
        if (self.text is None) == (self.texts is None):
            raise ValueError("either `text` or `texts` must be given")
        return self


class AnalyzedText(BaseModel):
    """The analysis of one text; null where a value cannot be determined."""

    text: str = Field(description="the text, cleaned and with personal data masked")
    masked: dict[str, int] = Field(description="kind of masked data → count", examples=[{"email": 1}])
    marks: list[str] = Field(description="changes to the text, or defects of it", examples=[["HTML removed"]])
    language: str = Field(description="ISO 639; `und` if undetermined", examples=["en"])
    language_confidence: float
    words: int
    sentiment: str | None = Field(examples=["positive"])
    positive: float | None = Field(description="probability")
    emotion: str | None = Field(examples=["joy"])
    emotions: dict[str, float] | None
    tags: dict[str, float] | None = Field(examples=[{"jazz": 0.8}])
    topic: list[str] | None = Field(description="heaviest words of the topic with the largest share")
    subjectivity: float | None = Field(description="0 for facts, 1 for opinions; English")
    explicitness: float | None = Field(description="explicit words per hundred words; English")
    repetition: float | None
    rhyme_density: float | None
    vocabulary_richness: float | None
    vector: list[float] | None = None


class AnalyzeResponse(BaseModel):
    """Analyses in the order of the texts, and the models that made them."""

    results: list[AnalyzedText]
    models: dict[str, str] = Field(examples=[{"sentiment_model": "sentiment_model:3"}])
    note: str | None = None
