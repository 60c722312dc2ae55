"""Slow, failing or silent endpoints: traffic, latency and errors by the minute, and all of them together."""

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from training.datasets.telemetry import endpoint_points, moments
from training.models.anomaly.detector import Detector
from training.models.anomaly.result import AnomalyResult
from training.models.anomaly.run import run as run_detector
from training.models.base import FamilyModel, Gates

PERFORMANCE = Detector(
    name="performance_anomaly_detector",
    about="Endpoints that answer more slowly, fail more often, or are asked less than they should be.",
    service="performance_anomaly_v1",
    key="endpoint",
    moments=lambda home: moments(home, ["requests"], "endpoint"),
    points=endpoint_points,
)


def run(home: Home, *, progress: Progress = silent) -> AnomalyResult:
    """Fit, measure and register; see ``training.models.anomaly.run``."""
    return run_detector(home, PERFORMANCE, progress=progress)


MODEL = FamilyModel(
    name=PERFORMANCE.name,
    family="anomaly",
    about=PERFORMANCE.about,
    services=(PERFORMANCE.service,),
    raw=("incidents", "requests"),
    gates=Gates(ties=True),
    program=run,
)
