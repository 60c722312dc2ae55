"""``POST /v1/text/analyze``."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from feature_repo.home import Home
from inference.api import errors
from inference.api.body import whole_body
from inference.api.schemas.texts import AnalyzedText, AnalyzeRequest, AnalyzeResponse
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live
from inference.text.analyzer import MODELS, TextAnalyzer, TextAnswer, label, likeliest

LARGEST_BODY = 4_000_000
"""Bytes."""


class Reading:
    """The analyzer of one application, loaded when it is first asked; ``live`` follows promotions."""

    def __init__(self, home: Home) -> None:
        self.live = Live(lambda: TextAnalyzer.load(home), MODELS, home, try_out=lambda found: found.analyze(["a song"]))

    def analyze(self, body: AnalyzeRequest) -> AnalyzeResponse:
        """Read."""
        analyzer = self.live.get()
        given = [body.text] if body.text is not None else list(body.texts or ())
        found = [_told(one, vectors=body.vectors) for one in analyzer.analyze(given)]
        return AnalyzeResponse(results=found, models=analyzer.versions, note=analyzer.note)


def install(app: FastAPI, reading: Reading, log: PredictionLog, registry: CollectorRegistry) -> None:
    """Add the route."""
    read = Counter("refrain_texts", "Texts read, by language", ["language"], registry=registry)
    schema: dict[str, Any] = AnalyzeRequest.model_json_schema()

    @app.post(
        "/v1/text/analyze",
        responses=errors.RESPONSES,
        tags=["text"],
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    async def analyze(request: Request) -> AnalyzeResponse:
        """What texts say: language, sentiment, emotion, tags, topic, measures.

        One ``text``, or ``texts``. Of a text, the first 20,000 characters are read. What cannot be told is null, and
        ``marks`` say why; what tells who somebody is comes back masked.
        """
        content = await whole_body(request, LARGEST_BODY)
        try:
            body = AnalyzeRequest.model_validate_json(content)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_input=False, include_context=False)) from error
        found = await run_in_threadpool(reading.analyze, body)
        for one in found.results:
            read.labels(one.language).inc()
            log.put(
                "texts",
                ", ".join(found.models.values()) or "none",
                language=one.language,
                words=one.words,
                sentiment=one.sentiment,
                positive=one.positive,
                emotion=one.emotion,
            )
        return found


def _told(answer: TextAnswer, *, vectors: bool) -> AnalyzedText:
    one = answer.analysis
    emotions = dict(one.emotions) if one.emotions else None
    return AnalyzedText(
        text=one.text,
        masked=dict(one.masked),
        marks=list(one.marks),
        language=one.language,
        language_confidence=one.language_confidence,
        words=one.words,
        sentiment=None if one.sentiment is None else label(one.sentiment),
        positive=one.sentiment,
        emotion=likeliest(emotions),
        emotions=emotions,
        tags=None if answer.tags is None else dict(answer.tags),
        topic=None if answer.topic is None else list(answer.topic[1]),
        subjectivity=one.subjectivity,
        explicitness=one.explicitness,
        repetition=one.repetition,
        rhyme_density=one.rhyme_density,
        vocabulary_richness=one.vocabulary_richness,
        vector=one.vector.tolist() if vectors and one.vector is not None else None,
    )
