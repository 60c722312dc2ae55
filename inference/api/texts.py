"""``POST /v1/text/analyze``."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from feature_repo.home import Home
from inference.api import errors
from inference.api.body import read_body
from inference.api.schemas.texts import AnalyzedText, AnalyzeRequest, AnalyzeResponse
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live
from inference.text.analyzer import MODELS, TextAnalyzer, TextAnswer, label, likeliest


class TextService:
    """The text analyzer of one application, loaded on first use; ``live`` follows promotions."""

    def __init__(self, home: Home) -> None:
        self.live = Live(
            lambda: TextAnalyzer.load(home), MODELS, home, try_out=lambda analyzer: analyzer.analyze(["a song"])
        )

    def analyze(self, body: AnalyzeRequest) -> AnalyzeResponse:
        """Analyze the texts of a request."""
        analyzer = self.live.get()
        texts = [body.text] if body.text is not None else list(body.texts or ())
        results = [_to_response(answer, vectors=body.vectors) for answer in analyzer.analyze(texts)]
        return AnalyzeResponse(results=results, models=analyzer.versions, note=analyzer.note)


def install(app: FastAPI, service: TextService, log: PredictionLog, registry: CollectorRegistry) -> None:
    """Add the route."""
    text_counter = Counter("refrain_texts", "Texts read, by language", ["language"], registry=registry)
    schema: dict[str, Any] = AnalyzeRequest.model_json_schema()

    @app.post(
        "/v1/text/analyze",
        responses=errors.RESPONSES,
        tags=["text"],
        operation_id="analyze_texts",
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    async def analyze(request: Request) -> AnalyzeResponse:
        """Analyzes texts: language, sentiment, emotion, tags, topic, measures.

        Send one ``text`` or several ``texts``. The first 20,000 characters of a text are read. Values that cannot be
        determined are null, and ``marks`` say why. Personal data is masked in the returned text.
        """
        content = await read_body(request)
        try:
            body = AnalyzeRequest.model_validate_json(content)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_input=False, include_context=False)) from error
        response = await run_in_threadpool(service.analyze, body)
        for result in response.results:
            text_counter.labels(result.language).inc()
            log.put(
                "texts",
                ", ".join(response.models.values()) or "none",
                language=result.language,
                words=result.words,
                sentiment=result.sentiment,
                positive=result.positive,
                emotion=result.emotion,
            )
        return response


def _to_response(answer: TextAnswer, *, vectors: bool) -> AnalyzedText:
    analysis = answer.analysis
    emotions = dict(analysis.emotions) if analysis.emotions else None
    return AnalyzedText(
        text=analysis.text,
        masked=dict(analysis.masked),
        marks=list(analysis.marks),
        language=analysis.language,
        language_confidence=analysis.language_confidence,
        words=analysis.words,
        sentiment=None if analysis.sentiment is None else label(analysis.sentiment),
        positive=analysis.sentiment,
        emotion=likeliest(emotions),
        emotions=emotions,
        tags=None if answer.tags is None else dict(answer.tags),
        topic=None if answer.topic is None else list(answer.topic[1]),
        subjectivity=analysis.subjectivity,
        explicitness=analysis.explicitness,
        repetition=analysis.repetition,
        rhyme_density=analysis.rhyme_density,
        vocabulary_richness=analysis.vocabulary_richness,
        vector=analysis.vector.tolist() if vectors and analysis.vector is not None else None,
    )
