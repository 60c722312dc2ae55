"""Types of what the methods of the client return, a file each kind. Fields that a newer service adds are ignored."""

from refrain.client.answers.batch import BatchResult
from refrain.client.answers.detections import Detection, Detections, Incident
from refrain.client.answers.encrypted import EncryptedModel, RankedScores, SentKeys
from refrain.client.answers.events import RefusedEvent, SentEvents
from refrain.client.answers.experiments import Experiment, Experiments, Variant
from refrain.client.answers.forecasts import Forecast, ForecastPoint
from refrain.client.answers.recommendations import Counterfactual, Recommendations, RecommendedTrack
from refrain.client.answers.rows import Features, Predictions
from refrain.client.answers.service import Health, Liveness, Readiness, ServedModel
from refrain.client.answers.sound import (
    AudioAnalysis,
    SoundClasses,
    SoundKey,
    SoundLoudness,
    SoundPeak,
    SoundTarget,
    SoundTempo,
    SoundTrackFeatures,
)
from refrain.client.answers.texts import AnalyzedText, TextAnalyses

__all__ = [
    "AnalyzedText",
    "AudioAnalysis",
    "BatchResult",
    "Counterfactual",
    "Detection",
    "Detections",
    "EncryptedModel",
    "Experiment",
    "Experiments",
    "Features",
    "Forecast",
    "ForecastPoint",
    "Health",
    "Incident",
    "Liveness",
    "Predictions",
    "RankedScores",
    "Readiness",
    "Recommendations",
    "RecommendedTrack",
    "RefusedEvent",
    "SentEvents",
    "SentKeys",
    "ServedModel",
    "SoundClasses",
    "SoundKey",
    "SoundLoudness",
    "SoundPeak",
    "SoundTarget",
    "SoundTempo",
    "SoundTrackFeatures",
    "TextAnalyses",
    "Variant",
]
