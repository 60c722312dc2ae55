"""``POST /v1/audio/analyze``."""

import threading
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry, Counter

from feature_repo.home import Home
from inference.api import errors
from inference.api.body import whole_body
from inference.api.schemas import AudioResponse
from inference.audio.analyzer import AudioAnalysisModel
from inference.audio.classifier import NAME
from inference.audio.shown import plain
from inference.swap import Live

LARGEST_BODY = 50_000_000
"""Bytes."""
LONGEST_SOUND = 20 * 60.0
"""Seconds; a small body can hold days of silence."""
METERED = 5 * 60.0
"""Seconds that the meter is told of; such a request takes 0.7 GB for ten seconds."""
AT_ONCE = 2
"""Sounds that are analysed at the same time; more wait."""


class Listening:
    """The analyzer of one application, loaded when it is first asked; ``live`` follows promotions."""

    def __init__(self, home: Home) -> None:
        def load() -> AudioAnalysisModel:
            return AudioAnalysisModel.load(home=home)

        self.live = Live(load, [NAME], home, try_out=AudioAnalysisModel.try_out)
        self._turns = threading.Semaphore(AT_ONCE)

    def analyze(self, content: bytes) -> AudioResponse:
        """Analyse."""
        analyzer = self.live.get()
        with self._turns:
            found = analyzer.analyze(content, longest=LONGEST_SOUND, largest=LARGEST_BODY, metered=METERED)
        return AudioResponse.model_validate({**plain(found), "note": analyzer.note})


def install(app: FastAPI, listening: Listening, registry: CollectorRegistry) -> None:
    """Add the route."""
    heard = Counter("refrain_sounds", "Sounds analysed, by genre", ["genre"], registry=registry)
    sound: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

    @app.post(
        "/v1/audio/analyze",
        responses=errors.RESPONSES,
        tags=["audio"],
        openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": sound}}},
    )
    async def analyze(request: Request) -> AudioResponse:
        """What a sound is like: meter, beats, key, spectrum; genre, mood and instruments by the promoted model.

        The body is the file itself (wav, flac, ogg, mp3, aiff), 50 MB and 20 minutes at the most:
        `curl --data-binary @song.mp3 -H 'content-type: application/octet-stream' …/v1/audio/analyze`.
        """
        content = await whole_body(request, LARGEST_BODY)
        found = await run_in_threadpool(listening.analyze, content)
        heard.labels((found.classes.genre if found.classes else None) or "none").inc()
        return found
