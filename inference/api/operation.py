"""``/health`` and ``/metrics``."""

import os

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from feature_repo.home import Home
from inference.api import errors
from inference.api.recommendations import RecommendationService
from inference.api.schemas.models import Health
from inference.monitoring.freshness import FreshnessCollector, FreshnessReader

WORKERS, COUNTS = "REFRAIN_WORKERS", "PROMETHEUS_MULTIPROC_DIR"
"""Environment variables for the number of serving processes and the folder of their metrics; ``serve`` sets them."""


def install(app: FastAPI, service: RecommendationService, home: Home, registry: CollectorRegistry) -> None:
    """Add the routes."""
    freshness, reader = FreshnessCollector(home), FreshnessReader(home)

    @app.get("/health", responses={503: errors.RESPONSES[503]}, tags=["operation"], operation_id="check_health")
    def health() -> Health:
        """Checks that the online store answers, and that the promoted model which answers at once is loaded."""
        if not service.is_promoted:
            reader.read()
            return Health(status="ok", model=None)
        serving = service.live.get()
        serving.check()
        return Health(status="ok", model=serving.bundle.name_version)

    @app.get("/metrics", tags=["operation"], operation_id="read_metrics", response_class=Response)
    def metrics() -> Response:
        """Prometheus metrics of all serving processes."""
        process_registry, store_registry = registry, CollectorRegistry()
        if os.environ.get(WORKERS):
            process_registry = CollectorRegistry()
            MultiProcessCollector(process_registry)
        store_registry.register(freshness)
        return Response(
            generate_latest(process_registry) + generate_latest(store_registry), media_type=CONTENT_TYPE_LATEST
        )
