"""Accounts that no single person uses: bots that play for money, and accounts that several share."""

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from training.datasets.telemetry import moments
from training.models.anomaly.detector import Detector
from training.models.anomaly.result import AnomalyResult
from training.models.anomaly.run import run as run_detector
from training.models.base import FamilyModel, Gates
from transforms.anomaly.incidents import MINUTE

DAY = 1_440 * MINUTE

USER_BEHAVIOR = Detector(
    name="user_behavior_anomaly_detector",
    about="Accounts that listen or log in unlike themselves and unlike others.",
    service="user_anomaly_v1",
    key="user_id",
    moments=lambda home: moments(home, ["plays", "logins"], "user_id"),
    aftermath=DAY,
    gap=240 * MINUTE,
)


def run(home: Home, *, progress: Progress = silent) -> AnomalyResult:
    """Fit, measure and register; see ``training.models.anomaly.run``."""
    return run_detector(home, USER_BEHAVIOR, progress=progress)


MODEL = FamilyModel(
    name=USER_BEHAVIOR.name,
    family="anomaly",
    about=USER_BEHAVIOR.about,
    services=(USER_BEHAVIOR.service,),
    raw=("incidents", "plays", "logins"),
    gates=Gates(ties=True),
    program=run,
)
