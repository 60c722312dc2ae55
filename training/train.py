"""Train a family, or one of its models, by name; and let its champions forecast."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home

MODELS: dict[str, str] = {
    "recommendation": "training.models.recommendation.run",
    "trends": "training.models.forecasting.trends",
    "charts": "training.models.forecasting.chart_forecaster",
    "user_behavior": "training.models.forecasting.user_behavior",
    "capacity": "training.models.forecasting.capacity",
    "sentiment_model": "training.models.text.sentiment_model",
    "emotion_model": "training.models.text.emotion_model",
    "text_embedder": "training.models.text.text_embedder",
    "sequence_model": "training.models.text.sequence_model",
    "metadata_tagger": "training.models.text.metadata_tagger",
    "audio_classifier": "training.models.audio.audio_classifier",
    "system_anomalies": "training.models.anomaly.system_anomaly_detector",
    "performance_anomalies": "training.models.anomaly.performance_anomaly_detector",
    "user_behavior_anomalies": "training.models.anomaly.user_behavior_anomaly_detector",
    "security_anomalies": "training.models.anomaly.security_anomaly_detector",
    "audio_quality_anomalies": "training.models.anomaly.audio_quality_anomaly_detector",
}
"""Name → module whose ``run(home, progress=…)`` trains, measures and registers it."""

FORECASTERS = ("trends", "charts", "user_behavior", "capacity")
"""Those that also have ``forecast(home)``."""


def train(home: Home, name: str, *, progress: Progress = silent) -> Any:
    """Train, measure and register a model.

    Raises:
        InputError: there is no such model.
    """
    if name not in MODELS:
        raise InputError(
            expected=f"what to train, one of {sorted(MODELS)}",
            found=repr(name),
            next_command="python -m training run --help",
        )
    run: Callable[..., Any] = import_module(MODELS[name]).run
    return run(home, progress=progress)


def forecast(home: Home, *, progress: Progress = silent) -> dict[str, int]:
    """Let every promoted forecaster speak from the end of the data on; rows written, by view.

    Raises:
        BundleError: none is promoted.
    """
    written: dict[str, int] = {}
    missing: list[BundleError] = []
    for number, name in enumerate(FORECASTERS):
        try:
            written |= import_module(MODELS[name]).forecast(home)
        except BundleError as error:
            missing.append(error)
        progress(number + 1, len(FORECASTERS), name)
    if len(missing) == len(FORECASTERS):
        raise BundleError(
            expected="a promoted forecaster",
            found="none",
            next_command="python -m training run trends && python -m training promote trend_forecaster",
        )
    return written
