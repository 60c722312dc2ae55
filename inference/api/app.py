"""The HTTP application: the services and the routes that call them."""

import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import Project
from inference.api import (
    anomalies,
    audio,
    document,
    encrypted,
    errors,
    events,
    experiments,
    features,
    feedback,
    forecasts,
    models,
    operation,
    own_document,
    predictions,
    recommendations,
    texts,
)
from inference.api.access import Access, Guard
from inference.api.hosts import HOST_NAMES, LOOPBACK_NAMES, Hosts
from inference.api.permission import Permission
from inference.api.readiness import ReadinessCheck
from inference.api.recommendations import RecommendationService
from inference.console import docs, not_found, pages
from inference.experiments.running import Running
from inference.monitoring import telemetry
from inference.monitoring.background_log import BackgroundLog
from inference.monitoring.lookups import LookupLog
from inference.monitoring.predictions import PredictionLog
from inference.recommend.controller import GOAL, Controller
from inference.recommend.impressions import ImpressionLog
from inference.security.audit import AuditLog
from inference.security.keys import KeyRing
from inference.security.limits import Limiter
from inference.security.sessions import Sessions
from inference.security.theft.guard import TheftGuard
from inference.security.tokens import TokenVerifier
from inference.swap import Live
from inference.workers import Workers

MODEL, ACCESS, GOAL_MS = "REFRAIN_MODEL", "REFRAIN_ACCESS", "REFRAIN_P99_MS"
"""Environment variables by which ``serve`` configures the processes that it starts."""


def from_env() -> FastAPI:
    """Create the application from the environment that ``serve`` sets; each of its processes calls this."""
    hosts = LOOPBACK_NAMES if HOST_NAMES not in os.environ else None
    return create_app(os.environ.get(MODEL) or "recommendation", hosts=hosts)


def create_app(
    model: str = "recommendation",
    home: Home | None = None,
    *,
    access: str | None = None,
    hosts: Collection[str] | None = None,
) -> FastAPI:
    """Create an application that serves the champions and follows promotions.

    Args:
        model: the recommender: a name for its champion, ``recommendation:3`` for one that never changes.
        home: the data folder; from the environment if None.
        access: ``keys``, ``open`` or ``auto`` (see ``inference.api.access``); from ``REFRAIN_ACCESS`` if None.
        hosts: names under which it may be asked (see ``inference.api.hosts``); from ``REFRAIN_HOST_NAMES`` if None.

    Raises:
        BundleError: the recommender cannot be served.
        HomeError: the data folder has another layout.
        StoreError: the manifest is missing or damaged.
        InputError: the file of keys is damaged, or a setting is invalid.
    """
    home = home or Home.from_env()
    home.check_layout()
    registry = CollectorRegistry()
    guard = _access(home, access or os.environ.get(ACCESS) or "auto")
    running, log, permission = Running(home), PredictionLog(home), Permission(home)
    controller = Controller(float(os.environ.get(GOAL_MS) or GOAL * 1e3) / 1e3)
    champions = models.Champions(registry)
    recommendation_service = RecommendationService(model, home, running, controller, log)
    live_forecasters, detection_service = forecasts.forecasters(home), anomalies.DetectionService(home)
    text_service = texts.TextService(home, Workers.from_env())
    sound_service = audio.SoundService(home, Workers.from_env())
    prediction_service = predictions.PredictionService(home, champions)
    encrypted_service = encrypted.EncryptedService(home, recommendation_service, prediction_service, Workers.from_env())
    lives: dict[str, Live[Any]] = {
        "recommendations": recommendation_service.live,
        "text": text_service.live,
        "audio": sound_service.live,
        **{f"forecasts: {name}": live for name, live in live_forecasters.items()},
        **{f"anomalies: {name}": live for name, live in detection_service.lives.items()},
    }
    for serves, live in lives.items():
        champions.add(serves, live)
    impression_log, lookup_log = ImpressionLog.from_env(home), LookupLog.from_env(home)  # shared with the engines
    _count_dropped_lines(
        registry,
        guard.audit,
        running.log,
        log,
        *(one_log for one_log in (impression_log, lookup_log) if one_log is not None),
    )

    threads = (champions.watcher, recommendation_service, guard.limiter, running, permission)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for part in threads:
            part.start()
        yield
        for part in threads:
            part.close()
        detection_service.close()
        for workers in (text_service.workers, sound_service.workers, encrypted_service.workers):
            workers.close()
        for writer in (app.state.theft, guard.audit, log):
            writer.flush()

    app = FastAPI(
        title="Refrain",
        version="1",
        description="Recommendations, forecasts, detections, readings of texts, analyses of sound, and features.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    errors.install(app)
    recommendations.install(app, recommendation_service, controller, registry, permission)
    forecasts.install(app, live_forecasters, log, permission)
    anomalies.install(app, detection_service, log, registry, permission)
    texts.install(app, text_service, log, registry)
    audio.install(app, sound_service, log, registry)
    features.install(app, features.FeatureLookups(home), permission)
    predictions.install(app, prediction_service, log, permission)
    encrypted.install(app, encrypted_service, permission)
    events.install(app, home, registry)
    feedback.install(app, home, running, registry)
    experiments.install(app, home, running)
    models.install(app, champions, home)
    operation.install(app, recommendation_service, ReadinessCheck(home, champions, prediction_service), home, registry)
    console = pages.Console(
        home,
        access=guard,
        champions=champions,
        recommendation_service=recommendation_service,
        sound_service=sound_service,
        running=running,
        controller=controller,
        permission=permission,
    )
    for part in (pages, docs, not_found):
        part.install(app, console)

    if not Project.load(home.project_folder).has_music:
        own_document.install(app, home)
    document.install(app)
    _add_layers(app, guard, registry, Hosts.from_env() if hosts is None else Hosts(hosts), controller)
    app.state.theft = TheftGuard(home, guard.audit, registry)
    app.state.access, app.state.logs = guard, (guard.audit, running.log, log)
    return app


def _add_layers(app: FastAPI, guard: Access, registry: CollectorRegistry, hosts: Hosts, controller: Controller) -> None:
    """Put the layers around the routes, the outermost last."""

    def on_answer(route: str, seconds: float) -> None:
        if route == "/v1/recommendations":
            controller.observe(seconds)

    app.add_middleware(Guard, access=guard, registry=registry, hosts=hosts, on_answer=on_answer)
    telemetry.install(app)


def _access(home: Home, mode: str) -> Access:
    if mode not in ("keys", "open", "auto"):
        raise InputError(
            expected="REFRAIN_ACCESS as keys, open or auto", found=repr(mode), next_command="export REFRAIN_ACCESS=auto"
        )
    ring = KeyRing(home)
    ring.all()  # a damaged file must not grant access
    sessions, audit = Sessions(home, ring), AuditLog.from_env(home)
    return Access(ring, TokenVerifier.from_env(home), sessions, Limiter(home), audit, mode)


def _count_dropped_lines(registry: CollectorRegistry, *logs: BackgroundLog) -> None:
    """Count the lines that each log drops."""
    counter = Counter("refrain_log_left_out", "Lines that could not be logged, by log", ["log"], registry=registry)
    for log in logs:
        log.on_left_out = counter.labels(log.WHAT).inc
