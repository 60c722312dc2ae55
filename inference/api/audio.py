"""``POST /v1/audio/analyze``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry, Counter
from starlette.exceptions import HTTPException

from feature_repo.home import Home
from inference.api import errors
from inference.api.body import read_body
from inference.api.schemas.audio import AudioResponse
from inference.audio.analyzer import AudioAnalysis, AudioAnalysisModel
from inference.audio.classifier import NAME
from inference.audio.console_output import plain
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live
from transforms.pure.audio.stft import RATE

LARGEST_BODY = 50_000_000
"""Maximum bytes of a sound file."""
MAX_SOUND_S = 20 * 60.0
"""Maximum seconds of a sound; a small file can hold days of silence."""
MAX_METERED_S = 5 * 60.0
"""Maximum seconds whose meter is analysed; such a request takes 0.7 GB for ten seconds."""
MAX_CONCURRENT, MAX_WAITING = 2, 8
"""Maximum number of sounds analysed at the same time, and of sounds that wait; further requests get status 503."""


class SoundService:
    """The sound analyzer of one application, loaded on first use; ``live`` follows promotions."""

    def __init__(self, home: Home) -> None:
        def load() -> AudioAnalysisModel:
            return AudioAnalysisModel.load(home=home)

        self.live = Live(load, [NAME], home, try_out=AudioAnalysisModel.try_out)
        self.turns = CapacityLimiter(MAX_CONCURRENT)
        self._inside = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Take a slot among the sounds that are analysed or wait. Call it on the event loop only.

        Raises:
            HTTPException: 503, all slots are taken.
        """
        if self._inside >= MAX_CONCURRENT + MAX_WAITING:
            raise HTTPException(
                503, f"{MAX_CONCURRENT + MAX_WAITING} sounds are waiting already; try again in some seconds"
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def analyze(self, content: bytes) -> AudioResponse:
        """Analyse a sound file."""
        return self._analyze(content)[0]

    def analyze_with_samples(self, content: bytes) -> tuple[AudioResponse, np.ndarray, int]:
        """Analyse a sound file; also return its (n,) samples and their rate in Hz."""
        response, analysis = self._analyze(content, keep=True)
        return response, analysis.mono, RATE

    def _analyze(self, content: bytes, *, keep: bool = False) -> tuple[AudioResponse, AudioAnalysis]:
        analyzer = self.live.get()
        analysis = analyzer.analyze(
            content, longest=MAX_SOUND_S, largest=LARGEST_BODY, metered=MAX_METERED_S, keep=keep
        )
        return AudioResponse.model_validate({**plain(analysis), "note": analyzer.note}), analysis


def install(app: FastAPI, service: SoundService, log: PredictionLog, registry: CollectorRegistry) -> None:
    """Add the route."""
    sounds = Counter("refrain_sounds", "Sounds analysed, by genre", ["genre"], registry=registry)
    content_type: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

    @app.post(
        "/v1/audio/analyze",
        responses=errors.RESPONSES,
        tags=["audio"],
        operation_id="analyze_audio",
        openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": content_type}}},
    )
    async def analyze(request: Request) -> AudioResponse:
        """Analyses a sound: meter, beats, key, spectrum; genre, mood and instruments by the promoted model.

        The body is the file itself (wav, flac, ogg, opus, mp3, aiff), at most 50 MB and 20 minutes:
        `curl --data-binary @song.mp3 -H 'content-type: application/octet-stream' …/v1/audio/analyze`.
        """
        with service.slot():  # fail early, before the body is read
            pass
        content = await read_body(request, LARGEST_BODY)
        with service.slot():
            # a separate thread limit: waiting sounds must not delay recommendations
            response = await to_thread.run_sync(service.analyze, content, limiter=service.turns)
        classes = response.classes
        log.put(
            "sounds",
            response.model or "none",
            genre=classes.genre if classes else None,
            mood=classes.mood if classes else None,
            distance=classes.distance if classes else None,
            tempo=response.tempo,
            seconds=response.seconds,
        )
        sounds.labels((response.classes.genre if response.classes else None) or "none").inc()
        return response
