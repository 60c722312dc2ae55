"""Detects broken hosts: each metric by the minute against its own past, and all metrics together."""

from training.datasets.telemetry import host_points
from training.models.anomaly.detector import Detector
from training.models.anomaly.model import DetectorModel

SYSTEM = Detector(
    name="system_anomaly_detector",
    about="Hosts whose processor, memory, disk, network or connections are not what they should be.",
    service="system_anomaly_v1",
    key="host_id",
    tables=("host_metrics",),
    points=host_points,
)

MODEL = DetectorModel.of(SYSTEM, raw=("incidents", "host_metrics"))
