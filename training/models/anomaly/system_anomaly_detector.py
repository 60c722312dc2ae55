"""Broken hosts: each metric against its own past, minute by minute, and all of them together."""

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from training.datasets.telemetry import host_points, moments
from training.models.anomaly.detector import Detector
from training.models.anomaly.result import AnomalyResult
from training.models.anomaly.run import run as run_detector
from training.models.base import FamilyModel, Gates

SYSTEM = Detector(
    name="system_anomaly_detector",
    about="Hosts whose processor, memory, disk, network or connections are not what they should be.",
    service="system_anomaly_v1",
    key="host_id",
    moments=lambda home: moments(home, ["host_metrics"], "host_id"),
    points=host_points,
)


def run(home: Home, *, progress: Progress = silent) -> AnomalyResult:
    """Fit, measure and register; see ``training.models.anomaly.run``."""
    return run_detector(home, SYSTEM, progress=progress)


MODEL = FamilyModel(
    name=SYSTEM.name,
    family="anomaly",
    about=SYSTEM.about,
    services=(SYSTEM.service,),
    raw=("incidents", "host_metrics"),
    gates=Gates(ties=True),
    program=run,
)
