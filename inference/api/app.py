"""The HTTP application."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from feature_repo.home import Home
from inference.api import anomalies, audio, errors, texts
from inference.api.body import whole_body
from inference.api.schemas import (
    EVENTS_REQUEST,
    EventsResponse,
    ForecastRequest,
    ForecastResponse,
    Health,
    RecommendationRequest,
    RecommendationResponse,
    RefusedEvent,
)
from inference.events import LARGEST_BODY, EventWriter
from inference.forecast.forecaster import Forecaster, target_of
from inference.monitoring.freshness import FreshnessCollector
from inference.recommend.engine import RecommendationEngine

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


def create_app(model: str = "recommendation", home: Home | None = None) -> FastAPI:
    """An application that serves one model.

    Raises:
        BundleError: the model cannot be served.
        StoreError: the manifest is missing or damaged.
    """
    home = home or Home.from_env()
    engine = RecommendationEngine.load(model, home)
    detecting = anomalies.Detecting(home)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        detecting.close()

    app = FastAPI(
        title="Refrain",
        version="1",
        description="Recommendations, forecasts, detections, readings of texts and analyses of sound.",
        lifespan=life,
    )
    errors.install(app)
    registry = CollectorRegistry()
    registry.register(FreshnessCollector(home))
    requests = Counter("refrain_http_requests", "Requests by route and status", ["route", "status"], registry=registry)
    seconds = Histogram(
        "refrain_http_request_seconds",
        "Time to answer, by route",
        ["route"],
        buckets=BUCKETS,
        registry=registry,
    )
    answers = Counter(
        "refrain_recommendations",
        "Answers by model and strategy",
        ["model", "strategy"],
        registry=registry,
    )

    @app.middleware("http")
    async def measure(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        response = await proceed(request)
        route = getattr(request.scope.get("route"), "path", "unknown")
        requests.labels(route, response.status_code).inc()
        seconds.labels(route).observe(time.perf_counter() - started)
        return response

    @app.post("/v1/recommendations", responses=errors.RESPONSES, tags=["recommendation"])
    def recommendations(body: RecommendationRequest) -> RecommendationResponse:
        """The best tracks that a listener has not heard, each with a reason.

        Their last plays count at once; a stranger gets what people like them play, or what goes with what they pick.
        """
        context = body.context.model_dump(exclude_none=True)
        if body.context.at:
            context["request_timestamp"] = context.pop("at").timestamp()
        answer = engine.recommend(
            body.user_id,
            context,
            count=body.count,
            **body.model_dump(exclude={"user_id", "context", "count"}),
        )
        answers.labels(answer.model, answer.strategy).inc()
        return RecommendationResponse.model_validate(asdict(answer))

    forecasters: dict[str, Forecaster] = {}

    @app.post("/v1/forecasts", responses=errors.RESPONSES, tags=["forecasting"])
    def forecasts(body: ForecastRequest) -> ForecastResponse:
        """What is forecast of a track, artist, genre, listener or all together, with intervals."""
        kind = target_of(body.entity, body.target)
        if kind.target not in forecasters:
            forecasters[kind.target] = kind.load(home=home)
        found = forecasters[kind.target].forecast(body.entity, body.id, horizon=body.horizon)
        return ForecastResponse.model_validate(asdict(found))

    anomalies.install(app, detecting, registry)
    texts.install(app, texts.Reading(home), registry)
    audio.install(app, audio.Listening(home), registry)
    _events(app, home, registry)

    @app.get("/health", responses={503: errors.RESPONSES[503]}, tags=["operation"])
    def health() -> Health:
        """Whether the model is loaded and the online store answers."""
        engine.check()
        return Health(status="ok", model=engine.bundle.name_version)

    @app.get("/metrics", tags=["operation"], response_class=Response)
    def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _events(app: FastAPI, home: Home, registry: CollectorRegistry) -> None:
    """Add the route that takes events."""
    events = EventWriter(home)
    told = Counter("refrain_events", "Events by what became of them", ["outcome"], registry=registry)

    @app.post(
        "/v1/events",
        status_code=202,
        responses=errors.RESPONSES,
        tags=["events"],
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": EVENTS_REQUEST}}},
        },
    )
    async def append_events(request: Request) -> EventsResponse:
        """Append what happened to the stream, 1,000 events at the most; live features follow within milliseconds.

        An event that is sent again counts once. Events that are not what they should be are listed with their place
        and the reason; the others are taken.
        """
        body = await whole_body(request, LARGEST_BODY)
        taken = await run_in_threadpool(events.write, body)
        told.labels("accepted").inc(taken.accepted)
        told.labels("refused").inc(len(taken.refused))
        refused = [RefusedEvent(place=place, reason=reason) for place, reason in taken.refused]
        return EventsResponse(accepted=taken.accepted, refused=refused)
