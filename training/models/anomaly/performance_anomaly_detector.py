"""Detects slow, failing or silent endpoints by traffic, latency and errors per minute, singly and together."""

from training.datasets.telemetry import endpoint_points
from training.models.anomaly.detector import Detector
from training.models.anomaly.model import DetectorModel

PERFORMANCE = Detector(
    name="performance_anomaly_detector",
    about="Endpoints that answer more slowly, fail more often, or are asked less than they should be.",
    service="performance_anomaly_v1",
    key="endpoint",
    tables=("requests",),
    points=endpoint_points,
    counts=("requests",),
)

MODEL = DetectorModel.of(PERFORMANCE, raw=("incidents", "requests"))
