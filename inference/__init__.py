"""Serving: from entity keys to predictions.

- Takes: entity keys, events, texts, sounds or observations, and promoted bundles.
- Returns: predictions, in process or over HTTP (``api``); ``features`` is the only online lookup.
- Promises: a lookup returns the value that a training set of now has; costs are bounded; a serving process imports no
  Feast, pandas, MLflow, LightGBM, scikit-learn or data frames, and never ``training``.

>>> from inference import RecommendationEngine                                     # doctest: +SKIP
>>> RecommendationEngine.load("recommendation").recommend("u000042", count=10)     # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.anomaly.detector import (
        AnomalyDetector,
        AudioQualityAnomalyDetector,
        PerformanceAnomalyDetector,
        SecurityAnomalyDetector,
        SystemAnomalyDetector,
        UserBehaviorAnomalyDetector,
    )
    from inference.anomaly.observation import Observation
    from inference.audio.analyzer import AudioAnalysisModel
    from inference.audio.models import (
        BeatDetectionModel,
        GenreClassificationModel,
        InstrumentRecognitionModel,
        MoodAnalysisModel,
        SpectralAnalysisModel,
    )
    from inference.forecast.forecaster import (
        CapacityForecaster,
        ChartForecaster,
        TrendForecaster,
        UserBehaviorForecaster,
    )
    from inference.recommend.engine import RecommendationEngine
    from inference.recommend.models import (
        ColdStartModel,
        CollaborativeFilteringModel,
        ContentBasedModel,
        HybridRecommendationModel,
        RealTimeRecommendationModel,
    )
    from inference.rows import RowModel
    from inference.text.analyzer import EmotionModel, MetadataTagger, SentimentModel, TextAnalyzer, TextEmbedder

_MODULE_OF = {
    "AnomalyDetector": "anomaly.detector",
    "AudioAnalysisModel": "audio.analyzer",
    "AudioQualityAnomalyDetector": "anomaly.detector",
    "BeatDetectionModel": "audio.models",
    "CapacityForecaster": "forecast.forecaster",
    "ChartForecaster": "forecast.forecaster",
    "ColdStartModel": "recommend.models",
    "CollaborativeFilteringModel": "recommend.models",
    "ContentBasedModel": "recommend.models",
    "EmotionModel": "text.analyzer",
    "GenreClassificationModel": "audio.models",
    "HybridRecommendationModel": "recommend.models",
    "InstrumentRecognitionModel": "audio.models",
    "MetadataTagger": "text.analyzer",
    "MoodAnalysisModel": "audio.models",
    "Observation": "anomaly.observation",
    "PerformanceAnomalyDetector": "anomaly.detector",
    "RealTimeRecommendationModel": "recommend.models",
    "RecommendationEngine": "recommend.engine",
    "RowModel": "rows",
    "SecurityAnomalyDetector": "anomaly.detector",
    "SentimentModel": "text.analyzer",
    "SpectralAnalysisModel": "audio.models",
    "SystemAnomalyDetector": "anomaly.detector",
    "TextAnalyzer": "text.analyzer",
    "TextEmbedder": "text.analyzer",
    "TrendForecaster": "forecast.forecaster",
    "UserBehaviorAnomalyDetector": "anomaly.detector",
    "UserBehaviorForecaster": "forecast.forecaster",
}
"""Public name → its module, imported on first use."""

__all__ = [
    "AnomalyDetector",
    "AudioAnalysisModel",
    "AudioQualityAnomalyDetector",
    "BeatDetectionModel",
    "CapacityForecaster",
    "ChartForecaster",
    "ColdStartModel",
    "CollaborativeFilteringModel",
    "ContentBasedModel",
    "EmotionModel",
    "GenreClassificationModel",
    "HybridRecommendationModel",
    "InstrumentRecognitionModel",
    "MetadataTagger",
    "MoodAnalysisModel",
    "Observation",
    "PerformanceAnomalyDetector",
    "RealTimeRecommendationModel",
    "RecommendationEngine",
    "RowModel",
    "SecurityAnomalyDetector",
    "SentimentModel",
    "SpectralAnalysisModel",
    "SystemAnomalyDetector",
    "TextAnalyzer",
    "TextEmbedder",
    "TrendForecaster",
    "UserBehaviorAnomalyDetector",
    "UserBehaviorForecaster",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        from importlib import import_module

        return getattr(import_module(f"inference.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
