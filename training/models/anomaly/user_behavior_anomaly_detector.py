"""Detects accounts that no single person uses: bots that stream for royalties, and shared accounts."""

from training.models.anomaly.detector import Detector
from training.models.anomaly.model import DetectorModel
from transforms.pure.anomaly.incidents import MINUTE

DAY = 1_440 * MINUTE

USER_BEHAVIOR = Detector(
    name="user_behavior_anomaly_detector",
    about="Accounts that listen or log in unlike themselves and unlike others.",
    service="user_anomaly_v1",
    key="user_id",
    tables=("plays", "logins"),
    aftermath=DAY,
    gap=240 * MINUTE,
)

MODEL = DetectorModel.of(USER_BEHAVIOR, raw=("incidents", "plays", "logins"))
