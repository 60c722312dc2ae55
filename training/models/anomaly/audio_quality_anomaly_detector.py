"""Detects bad masters: clipped, silent, one-sided, noisy or dull."""

from training.models.anomaly.detector import Detector
from training.models.anomaly.model import DetectorModel

AUDIO_QUALITY = Detector(
    name="audio_quality_anomaly_detector",
    about="Masters that measure unlike the others.",
    service="audio_anomaly_v1",
    key="track_id",
    tables=("audio_measurements",),
    every_entity=False,
)

MODEL = DetectorModel.of(AUDIO_QUALITY, raw=("incidents", "audio_measurements"))
