"""Addresses that no listener comes from: passwords that are tried, catalogues that are copied."""

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from training.datasets.telemetry import moments
from training.models.anomaly.detector import Detector
from training.models.anomaly.result import AnomalyResult
from training.models.anomaly.run import run as run_detector
from training.models.base import FamilyModel, Gates
from transforms.anomaly.incidents import MINUTE

SECURITY = Detector(
    name="security_anomaly_detector",
    about="Client addresses that log in or ask unlike others.",
    service="security_anomaly_v1",
    key="client_ip",
    moments=lambda home: moments(home, ["logins", "requests"], "client_ip"),
    gap=60 * MINUTE,
)


def run(home: Home, *, progress: Progress = silent) -> AnomalyResult:
    """Fit, measure and register; see ``training.models.anomaly.run``."""
    return run_detector(home, SECURITY, progress=progress)


MODEL = FamilyModel(
    name=SECURITY.name,
    family="anomaly",
    about=SECURITY.about,
    services=(SECURITY.service,),
    raw=("incidents", "logins", "requests"),
    gates=Gates(ties=True),
    program=run,
)
