"""Bad masters: clipped, silent, one-sided, noisy, or dull."""

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from training.datasets.telemetry import moments
from training.models.anomaly.detector import Detector
from training.models.anomaly.result import AnomalyResult
from training.models.anomaly.run import run as run_detector
from training.models.base import FamilyModel, Gates

AUDIO_QUALITY = Detector(
    name="audio_quality_anomaly_detector",
    about="Masters that measure unlike the others.",
    service="audio_anomaly_v1",
    key="track_id",
    moments=lambda home: moments(home, ["audio_measurements"], "track_id"),
    every_entity=False,
)


def run(home: Home, *, progress: Progress = silent) -> AnomalyResult:
    """Fit, measure and register; see ``training.models.anomaly.run``."""
    return run_detector(home, AUDIO_QUALITY, progress=progress)


MODEL = FamilyModel(
    name=AUDIO_QUALITY.name,
    family="anomaly",
    about=AUDIO_QUALITY.about,
    services=(AUDIO_QUALITY.service,),
    raw=("incidents", "audio_measurements"),
    gates=Gates(ties=True),
    program=run,
)
