"""``POST /v1/text/analyze``."""

from functools import cache
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.api import errors
from inference.api.body import read_body
from inference.api.costs import CHARACTERS, charge, units_of
from inference.api.schemas.texts import AnalyzedText, AnalyzeRequest, AnalyzeResponse
from inference.api.theft import check_questions
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live
from inference.text.analyzer import MODELS, TextAnalyzer, TextAnswer, label, likeliest
from inference.workers import Workers
from transforms.pure.text.clean import LONGEST

MAX_CHARACTERS = 300_000
"""Maximum characters of all texts of a request that are read; they take some seconds."""
MAX_BESIDE_ANSWERS = 2_000
"""Maximum characters that are read in the process that answers; more go to a worker process."""


class TextService:
    """The text analyzer of one application, loaded on first use; ``live`` follows promotions.

    Args:
        home: the data folder.
        workers: what analyses long texts; threads of this process if None.
    """

    def __init__(self, home: Home, workers: Workers | None = None) -> None:
        self._home, self.workers = home, workers or Workers(0)
        self.live = Live(
            lambda: TextAnalyzer.load(home), MODELS, home, try_out=lambda analyzer: analyzer.analyze(["a song"])
        )

    async def analyze(self, request: Request, body: AnalyzeRequest) -> AnalyzeResponse:
        """Analyze the texts of a request, and charge their cost to the caller.

        Raises:
            InputError: the texts are too long together.
            HTTPException: 429, the rate limit or quota of the key is exceeded.
            WorkFailed: the process that reads them crashed or took too long.
        """
        characters = sum(min(len(text), LONGEST) for text in _texts(body))
        if characters > MAX_CHARACTERS:
            raise InputError(
                expected=f"{MAX_CHARACTERS:,} characters of all texts at most ({LONGEST:,} of each are read)",
                found=f"{characters:,}",
                next_command="send the texts in several requests",
            )
        await charge(request, units_of(characters, CHARACTERS), "the characters of these texts")
        await run_in_threadpool(check_questions, request, "texts", _texts(body))
        if characters <= MAX_BESIDE_ANSWERS:
            return await run_in_threadpool(self.analyze_here, body)
        if not self.workers.has_processes:
            return await self.workers.run(self.analyze_here, body)
        if self.live.loaded is None:
            await run_in_threadpool(self.live.get)  # so that promotions are followed here, too
        return await self.workers.run(_analyze_in_process, self._home, body)

    def analyze_here(self, body: AnalyzeRequest) -> AnalyzeResponse:
        """Analyze the texts of a request in this process."""
        analyzer, texts = self.live.get(), _texts(body)
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

        Send one ``text`` or several ``texts``. The first 20,000 characters of a text are read, 300,000 of all; every
        1,000 of them count as a request. Values that cannot be
        determined are null, and ``marks`` say why. Personal data is masked in the returned text.
        """
        content = await read_body(request)
        try:
            body = AnalyzeRequest.model_validate_json(content)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_input=False, include_context=False)) from error
        response = await service.analyze(request, body)
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


def _texts(body: AnalyzeRequest) -> list[str]:
    return [body.text] if body.text is not None else list(body.texts or ())


@cache
def _service_of_process(home: Home) -> TextService:
    return TextService(home)


def _analyze_in_process(home: Home, body: AnalyzeRequest) -> AnalyzeResponse:
    service = _service_of_process(home)
    service.live.refresh()
    return service.analyze_here(body)


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
