"""``/health``, ``/live``, ``/ready`` and ``/metrics``.

A process that does not answer ``/live`` is stuck: restart it. One that does not answer ``/ready`` with 200 lacks
something outside it, which no restart brings back: send its requests to another.
"""

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry

from feature_repo.home import Home
from inference.api import errors
from inference.api.readiness import ReadinessCheck
from inference.api.recommendations import RecommendationService
from inference.api.schemas.models import Health, Liveness, Readiness
from inference.monitoring.freshness import FreshnessReader
from inference.monitoring.scrape import Scrape


def install(
    app: FastAPI,
    service: RecommendationService,
    readiness: ReadinessCheck,
    home: Home,
    registry: CollectorRegistry,
) -> None:
    """Add the routes."""
    scrape, reader = Scrape(home, registry), FreshnessReader(home)

    @app.get("/health", responses={503: errors.RESPONSES[503]}, tags=["operation"], operation_id="check_health")
    def health(request: Request) -> Health:
        """Checks that the online store answers, and that the promoted model which answers at once is loaded."""
        if not service.is_promoted:
            reader.read()
            return Health(status="ok", model=None, lost_acts=request.app.state.access.audit.left_out)
        serving = service.live.get()
        serving.check()
        lost_acts = request.app.state.access.audit.left_out
        return Health(status="ok", model=serving.bundle.name_version, lost_acts=lost_acts)

    @app.get("/live", tags=["operation"], operation_id="check_live")
    async def live() -> Liveness:
        """Answers while the process does: needs no store, no model, no thread and no free place among the requests."""
        return Liveness(status="live")

    @app.get("/ready", responses={503: errors.RESPONSES[503]}, tags=["operation"], operation_id="check_ready")
    def ready() -> Readiness:
        """Checks that the online store answers and that every promoted model is loaded; the first call loads them."""
        return Readiness(status="ready", models=readiness.run())

    @app.get("/metrics", tags=["operation"], operation_id="read_metrics", response_class=Response)
    def metrics() -> Response:
        """Prometheus metrics of all serving processes, the online store, the stream and the disk."""
        return Response(scrape.text(), media_type=CONTENT_TYPE_LATEST)
