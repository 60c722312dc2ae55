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
from inference.api.body import whole_body
from inference.api.schemas.audio import AudioResponse
from inference.audio.analyzer import AudioAnalysis, AudioAnalysisModel
from inference.audio.classifier import NAME
from inference.audio.console_output import plain
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live
from transforms.pure.audio.stft import RATE

LARGEST_BODY = 50_000_000
"""Bytes."""
LONGEST_SOUND = 20 * 60.0
"""Seconds; a small body can hold days of silence."""
METERED = 5 * 60.0
"""Seconds that the meter is told of; such a request takes 0.7 GB for ten seconds."""
AT_ONCE, WAITING = 2, 8
"""Sounds that are analysed at the same time, and that wait for it; whoever comes then is told to come later."""


class Listening:
    """The analyzer of one application, loaded when it is first asked; ``live`` follows promotions."""

    def __init__(self, home: Home) -> None:
        def load() -> AudioAnalysisModel:
            return AudioAnalysisModel.load(home=home)

        self.live = Live(load, [NAME], home, try_out=AudioAnalysisModel.try_out)
        self.turns = CapacityLimiter(AT_ONCE)
        self._inside = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among those that are analysed or wait; of the event loop alone.

        Raises:
            HTTPException: 503, there is none.
        """
        if self._inside >= AT_ONCE + WAITING:
            raise HTTPException(503, f"{AT_ONCE + WAITING} sounds are waiting already; try again in some seconds")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def analyze(self, content: bytes) -> AudioResponse:
        """Analyse."""
        return self._analyzed(content)[0]

    def drawn(self, content: bytes) -> tuple[AudioResponse, np.ndarray, int]:
        """The same, with (n,) samples and how many there are a second."""
        answer, found = self._analyzed(content, keep=True)
        return answer, found.mono, RATE

    def _analyzed(self, content: bytes, *, keep: bool = False) -> tuple[AudioResponse, AudioAnalysis]:
        analyzer = self.live.get()
        found = analyzer.analyze(content, longest=LONGEST_SOUND, largest=LARGEST_BODY, metered=METERED, keep=keep)
        return AudioResponse.model_validate({**plain(found), "note": analyzer.note}), found


def install(app: FastAPI, listening: Listening, log: PredictionLog, registry: CollectorRegistry) -> None:
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
        with listening.place():  # before much is read
            pass
        content = await whole_body(request, LARGEST_BODY)
        with listening.place():
            # threads of its own: sounds that wait must not keep recommendations waiting
            found = await to_thread.run_sync(listening.analyze, content, limiter=listening.turns)
        classes = found.classes
        log.put(
            "sounds",
            found.model or "none",
            genre=classes.genre if classes else None,
            mood=classes.mood if classes else None,
            distance=classes.distance if classes else None,
            tempo=found.tempo,
            seconds=found.seconds,
        )
        heard.labels((found.classes.genre if found.classes else None) or "none").inc()
        return found
