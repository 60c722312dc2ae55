"""``POST /v1/audio/analyze``."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from anyio import to_thread
from fastapi import FastAPI, Query, Request
from prometheus_client import CollectorRegistry, Counter
from starlette.exceptions import HTTPException

from feature_repo.home import Home
from inference.api import errors
from inference.api.body import MAX_SOUND_BYTES, body_on_disk
from inference.api.costs import SAMPLES, charge, charge_afterwards, units_of
from inference.api.schemas.audio import AudioResponse
from inference.api.theft import check_questions
from inference.audio.analyzer import AudioAnalysisModel
from inference.audio.classifier import NAME
from inference.audio.console_output import plain
from inference.audio.structure_file import spotify
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live
from inference.workers import Workers
from transforms.pure.audio.decode import opened

MAX_SOUND_S = 20 * 60.0
"""Maximum seconds of a sound; a small file can hold days of silence."""
MAX_SAMPLES = 20 * 60 * 48_000 * 2
"""Maximum number of samples of all channels: 20 minutes of two."""
MAX_METERED_S = 5 * 60.0
"""Maximum seconds whose meter is analysed."""
MAX_CONCURRENT, MAX_WAITING = 2, 8
"""Maximum number of sounds analysed at the same time, and of sounds that wait; further requests get status 503."""
MAX_COLUMNS = 600
"""Maximum number of columns in a waveform."""


class SoundService:
    """The sound analyzer of one application, loaded on first use; ``live`` follows promotions.

    Args:
        home: the data folder.
        workers: what analyses the sounds; threads of this process if None.
    """

    def __init__(self, home: Home, workers: Workers | None = None) -> None:
        def load() -> AudioAnalysisModel:
            return AudioAnalysisModel.load(home=home)

        self.live = Live(load, [NAME], home, try_out=AudioAnalysisModel.try_out)
        self._home, self.workers = home, workers or Workers(0, threads=MAX_CONCURRENT)
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

    async def analyze(
        self, request: Request, file: Path, *, columns: bool = False, structure: bool = False
    ) -> tuple[AudioResponse, np.ndarray]:
        """Analyse a sound, and charge its cost to the caller.

        Args:
            request: the HTTP request.
            file: the sound.
            columns: whether to return the columns of a waveform, for which all samples are kept in memory.
            structure: whether to return bars, beats, tatums, sections and segments.

        Returns:
            The analysis, and the (c, 2) largest and smallest samples of each column.

        Raises:
            InputError: it is no sound, or too long; what its header states is refused before it is decoded.
            HTTPException: 429, the rate limit or quota of the key is exceeded.
            WorkFailed: the process that decodes it crashed or took too long.
        """
        stated = units_of(await to_thread.run_sync(_stated_samples, file), SAMPLES)
        await charge(request, stated, "the samples of this sound")
        await to_thread.run_sync(_check_sound, request, file)
        if self.workers.has_processes:
            if self.live.loaded is None:
                await to_thread.run_sync(self.live.get)  # so that promotions are followed here, too
            response, extremes = await self.workers.run(_analyze_in_process, self._home, file, columns, structure)
        else:
            response, extremes = await self.workers.run(self.analyze_file, file, columns, structure)
        real = units_of(round(response.seconds * response.rate) * response.channels, SAMPLES)
        await charge_afterwards(request, real - stated)
        return response, extremes

    def analyze_file(self, file: Path, columns: bool, structure: bool) -> tuple[AudioResponse, np.ndarray]:
        """Analyse a sound here; returns what ``analyze`` does."""
        analyzer = self.live.get()
        analysis = analyzer.analyze(
            file,
            name="the sound",
            longest=MAX_SOUND_S,
            largest=MAX_SOUND_BYTES,
            most_samples=MAX_SAMPLES,
            metered=MAX_METERED_S,
            keep=columns,
            fingerprint=structure,
        )
        parts = spotify(analysis) if structure else None
        response = AudioResponse.model_validate({**plain(analysis), "note": analyzer.note, "structure": parts})
        return response, _columns(analysis.mono) if columns else np.empty((0, 2))


def _check_sound(request: Request, file: Path) -> None:
    """Count a sound, by the digest of its bytes, in the budgets of questions."""
    with file.open("rb") as sound:
        check_questions(request, "sounds", [hashlib.file_digest(sound, "sha256").hexdigest()])


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
    async def analyze(
        request: Request,
        structure: Annotated[bool, Query(description="whether to add the structure", examples=["true"])] = False,
    ) -> AudioResponse:
        """Analyses a sound: meter, beats, key, spectrum; genre, mood and instruments by the promoted model.

        The body is the file itself (wav, flac, ogg, opus, mp3, aiff), at most 50 MB and 20 minutes of two channels:
        `curl --data-binary @song.mp3 -H 'content-type: application/octet-stream' …/v1/audio/analyze`. Every 40,000
        samples of all channels count as a request; three minutes in stereo as 400. `?structure=true` adds bars, beats,
        tatums, sections, segments and a fingerprint.
        """
        with service.slot():  # fail early, before the body is read
            pass
        async with body_on_disk(request) as file:
            with service.slot():
                response, _ = await service.analyze(request, file, structure=structure)
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


def _stated_samples(file: Path) -> int:
    """Number of samples of all channels that the header of a sound states."""
    with opened(file, name="the sound", longest=MAX_SOUND_S, most_samples=MAX_SAMPLES) as sound:
        return sound.stated_samples


def _columns(mono: np.ndarray) -> np.ndarray:
    """Return the (c, 2) largest and smallest samples of each column of a waveform."""
    pieces = np.array_split(mono, min(MAX_COLUMNS, max(len(mono), 1)))
    return np.array([(piece.max(initial=0.0), piece.min(initial=0.0)) for piece in pieces])


@cache
def _service_of_process(home: Home) -> SoundService:
    return SoundService(home)


def _analyze_in_process(home: Home, file: Path, columns: bool, structure: bool) -> tuple[AudioResponse, np.ndarray]:
    service = _service_of_process(home)
    service.live.refresh()
    return service.analyze_file(file, columns, structure)
