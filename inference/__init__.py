"""Entity keys to answers.

``features`` is the only online lookup, ``models`` loads promoted bundles, ``recommend`` and ``forecast`` answer,
``api`` serves the answers over HTTP. A serving process imports no Feast, pandas, MLflow, LightGBM or scikit-learn.

>>> from inference import RecommendationEngine                                     # doctest: +SKIP
>>> RecommendationEngine.load("recommendation").recommend("u000042", count=10)     # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.forecast.forecaster import (
        CapacityForecaster,
        ChartForecaster,
        TrendForecaster,
        UserBehaviorForecaster,
    )
    from inference.recommend.engine import RecommendationEngine

__all__ = [
    "CapacityForecaster",
    "ChartForecaster",
    "RecommendationEngine",
    "TrendForecaster",
    "UserBehaviorForecaster",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        where = "recommend.engine" if name == "RecommendationEngine" else "forecast.forecaster"
        return getattr(import_module(f"inference.{where}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
