"""The HTTP application: what serves, and the routes that ask it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.api import (
    anomalies,
    audio,
    errors,
    events,
    experiments,
    features,
    feedback,
    forecasts,
    models,
    operation,
    predictions,
    recommendations,
    texts,
)
from inference.api.access import Access, Guard
from inference.api.recommendations import Recommending
from inference.console import pages
from inference.experiments.running import Running
from inference.monitoring.background_log import BackgroundLog
from inference.monitoring.lookups import LookupLog
from inference.monitoring.predictions import PredictionLog
from inference.recommend.controller import GOAL, Controller
from inference.recommend.impressions import ImpressionLog
from inference.security.audit import AuditLog
from inference.security.keys import KeyRing
from inference.security.limits import Limiter
from inference.security.tokens import TokenVerifier

MODEL, ACCESS, GOAL_MS = "REFRAIN_MODEL", "REFRAIN_ACCESS", "REFRAIN_P99_MS"
"""What ``serve`` tells the processes that it starts."""


def from_env() -> FastAPI:
    """An application as ``serve`` was told; each of its processes calls this."""
    return create_app(os.environ.get(MODEL) or "recommendation")


def create_app(model: str = "recommendation", home: Home | None = None, *, access: str | None = None) -> FastAPI:
    """An application that serves what is promoted, and what will be.

    Args:
        model: the recommender: a name for its champion, ``recommendation:3`` for one that never changes.
        home: the data folder; from the environment if None.
        access: ``keys``, ``open`` or ``auto`` (see ``inference.api.access``); after ``REFRAIN_ACCESS`` if None.

    Raises:
        BundleError: the recommender cannot be served.
        StoreError: the manifest is missing or damaged.
        InputError: the file of keys is damaged, or a setting is none.
    """
    home = home or Home.from_env()
    registry = CollectorRegistry()
    guard = _access(home, access or os.environ.get(ACCESS) or "auto")
    running, log = Running(home), PredictionLog(home)
    controller = Controller(float(os.environ.get(GOAL_MS) or GOAL * 1e3) / 1e3)
    champions = models.Champions(registry)
    recommending = Recommending(model, home, running, controller, log)
    engine = champions.add("recommendations", recommending.live)
    forecasting, detecting = forecasts.forecasters(home), anomalies.Detecting(home)
    reading, listening = texts.Reading(home), audio.Listening(home)
    champions.add("text", reading.live)
    champions.add("audio", listening.live)
    for kind, lives in (("forecasts", forecasting), ("anomalies", detecting.lives)):
        for name, live in lives.items():
            champions.add(f"{kind}: {name}", live)
    shown, looked_up = ImpressionLog.from_env(home), LookupLog.from_env(home)  # those that the engines write to
    _counted(registry, guard.audit, running.log, log, *(one for one in (shown, looked_up) if one is not None))

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        champions.watcher.start()
        guard.limiter.start()
        running.start()
        yield
        champions.watcher.close()
        guard.limiter.close()
        running.close()
        detecting.close()
        for one in (guard.audit, log):
            one.flush()

    app = FastAPI(
        title="Refrain",
        version="1",
        description="Recommendations, forecasts, detections, readings of texts, analyses of sound, and features.",
        lifespan=life,
    )
    errors.install(app)
    recommendations.install(app, recommending, controller, registry)
    forecasts.install(app, forecasting, log)
    anomalies.install(app, detecting, log, registry)
    texts.install(app, reading, log, registry)
    audio.install(app, listening, log, registry)
    features.install(app, features.Lookups(home))
    predictions.install(app, predictions.Predicting(home, champions), log)
    events.install(app, home, registry)
    feedback.install(app, home, running, registry)
    experiments.install(app, home, running)
    models.install(app, champions)
    operation.install(app, engine, home, registry)
    pages.install(
        app,
        pages.Console(
            home,
            access=guard,
            champions=champions,
            recommending=recommending,
            listening=listening,
            running=running,
            controller=controller,
        ),
    )

    def observed(route: str, seconds: float) -> None:
        if route == "/v1/recommendations":
            controller.observe(seconds)

    _documented(app)
    app.add_middleware(Guard, access=guard, registry=registry, observed=observed)
    app.state.access, app.state.logs = guard, (guard.audit, running.log, log)
    return app


def _access(home: Home, mode: str) -> Access:
    if mode not in ("keys", "open", "auto"):
        raise InputError(
            expected="REFRAIN_ACCESS as keys, open or auto", found=repr(mode), next_command="export REFRAIN_ACCESS=auto"
        )
    ring = KeyRing(home)
    ring.all()  # a damaged file must not open the doors
    return Access(ring, TokenVerifier.from_env(home), Limiter(home), AuditLog(home), mode)


def _documented(app: FastAPI) -> None:
    """Say in the OpenAPI document how a key is shown, and that without any key none is needed."""
    made = app.openapi

    def document() -> dict[str, Any]:
        told = made()
        told["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        told["security"] = [{"bearer": []}, {"header": []}, {}]
        return told

    app.openapi = document  # type: ignore[method-assign]


def _counted(registry: CollectorRegistry, *logs: BackgroundLog) -> None:
    """Tell of every line that a log had to leave out."""
    told = Counter("refrain_log_left_out", "Lines that could not be logged, by log", ["log"], registry=registry)
    for log in logs:
        log.on_left_out = told.labels(log.WHAT).inc
