"""What ``GET /metrics`` answers: the metrics of all serving processes, and what is read when they are scraped."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from feature_repo.home import Home
from inference.monitoring.break_glass_metrics import BreakGlassCollector
from inference.monitoring.freshness import FreshnessCollector
from inference.monitoring.process_metrics import DiskCollector, ServingProcesses, forget_ended_processes
from inference.monitoring.stream_metrics import StreamCollector

WORKERS, COUNTS = "REFRAIN_WORKERS", "PROMETHEUS_MULTIPROC_DIR"
"""Environment variables for the number of serving processes and the folder of their metrics; ``serve`` sets them."""


class Scrape:
    """Collects the metrics of a service.

    Args:
        home: the data folder.
        registry: the metrics of this process.
    """

    def __init__(self, home: Home, registry: CollectorRegistry) -> None:
        self._folder = Path(os.environ[COUNTS]) if os.environ.get(WORKERS) else None
        self._registry = registry
        self._read_at_scrape = CollectorRegistry()
        for collector in (
            FreshnessCollector(home),
            StreamCollector(home),
            DiskCollector(home),
            ServingProcesses(self._folder),
            BreakGlassCollector(home),
        ):
            self._read_at_scrape.register(collector)  # type: ignore[arg-type]

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        registry = self._registry
        if self._folder is not None:
            forget_ended_processes(self._folder)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self._folder))
        return generate_latest(registry) + generate_latest(self._read_at_scrape)
