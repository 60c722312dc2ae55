"""Detects client addresses of attackers: password guessing and catalogue scraping."""

from training.models.anomaly.detector import Detector
from training.models.anomaly.model import DetectorModel
from transforms.pure.anomaly.incidents import MINUTE

SECURITY = Detector(
    name="security_anomaly_detector",
    about="Client addresses that log in or ask unlike others.",
    service="security_anomaly_v1",
    key="client_ip",
    tables=("logins", "requests"),
    gap=60 * MINUTE,
)

MODEL = DetectorModel.of(SECURITY, raw=("incidents", "logins", "requests"))
