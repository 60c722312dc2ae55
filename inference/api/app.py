"""The HTTP application: what serves, and the routes that ask it."""

import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from feature_repo.home import Home
from inference.api import anomalies, audio, errors, events, features, forecasts, models, recommendations, texts
from inference.api.schemas import Health
from inference.monitoring.freshness import FreshnessCollector
from inference.recommend.engine import RecommendationEngine
from inference.swap import Live

REQUEST_ID = "x-request-id"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


def create_app(model: str = "recommendation", home: Home | None = None) -> FastAPI:
    """An application that serves what is promoted, and what will be.

    Args:
        model: the recommender: a name for its champion, ``recommendation:3`` for one that never changes.
        home: the data folder; from the environment if None.

    Raises:
        BundleError: the recommender cannot be served.
        StoreError: the manifest is missing or damaged.
    """
    home = home or Home.from_env()
    registry = CollectorRegistry()
    champions = models.Champions(registry)
    engine = champions.add("recommendations", recommendations.engine(model, home))
    forecasting, detecting = forecasts.forecasters(home), anomalies.Detecting(home)
    reading, listening = texts.Reading(home), audio.Listening(home)
    champions.add("text", reading.live)
    champions.add("audio", listening.live)
    for kind, lives in (("forecasts", forecasting), ("anomalies", detecting.lives)):
        for name, live in lives.items():
            champions.add(f"{kind}: {name}", live)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        champions.watcher.start()
        yield
        champions.watcher.close()
        detecting.close()

    app = FastAPI(
        title="Refrain",
        version="1",
        description="Recommendations, forecasts, detections, readings of texts, analyses of sound, and features.",
        lifespan=life,
    )
    errors.install(app)
    _measured(app, registry)
    recommendations.install(app, engine, registry)
    forecasts.install(app, forecasting)
    anomalies.install(app, detecting, registry)
    texts.install(app, reading, registry)
    audio.install(app, listening, registry)
    features.install(app, features.Lookups(home))
    events.install(app, home, registry)
    models.install(app, champions)
    registry.register(FreshnessCollector(home))
    _operation(app, engine, registry)
    return app


def _measured(app: FastAPI, registry: CollectorRegistry) -> None:
    """Count and time every request, and give it a name."""
    labels = ["route", "status"]
    requests = Counter("refrain_http_requests", "Requests by route and status", labels, registry=registry)
    about = "Time to answer, by route"
    seconds = Histogram("refrain_http_request_seconds", about, ["route"], buckets=BUCKETS, registry=registry)

    @app.middleware("http")
    async def measure(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        response = await proceed(request)
        response.headers[REQUEST_ID] = _request_id(request)
        route = getattr(request.scope.get("route"), "path", "unknown")
        requests.labels(route, response.status_code).inc()
        seconds.labels(route).observe(time.perf_counter() - started)
        return response


def _request_id(request: Request) -> str:
    """As the caller named the request, if that is a name; else a new one."""
    told = request.headers.get(REQUEST_ID, "")
    return told if re.fullmatch(r"[\w.-]{1,64}", told, re.ASCII) else uuid.uuid4().hex


def _operation(app: FastAPI, engine: Live[RecommendationEngine], registry: CollectorRegistry) -> None:
    @app.get("/health", responses={503: errors.RESPONSES[503]}, tags=["operation"])
    def health() -> Health:
        """Whether the recommender is loaded and the online store answers."""
        serving = engine.get()
        serving.check()
        return Health(status="ok", model=serving.bundle.name_version)

    @app.get("/metrics", tags=["operation"], response_class=Response)
    def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
