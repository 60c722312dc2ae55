"""Forecasts stored as features, with their origin as event time, so that a training set sees only earlier forecasts.

All forecast views share one schema. Lists have one element per forecast step.
"""

from feast import FeatureView, Field
from feast.types import Array, Float32, Int64, String

from feature_repo.definitions import entities
from feature_repo.definitions.forecasts import FORECASTS
from feature_repo.sources import feature_table

_NUMBERS = {
    "mean": "what is expected",
    "lower_95": "below it with 2.5 %",
    "lower_80": "below it with 10 %",
    "median": "below it with 50 %",
    "upper_80": "below it with 90 %",
    "upper_95": "below it with 97.5 %",
    "chance": "a probability, where the view's description names one",
}


def _forecast_view(name: str, entity: str, description: str) -> FeatureView:
    return feature_table(
        name,
        entities=[getattr(entities, entity)],
        schema=[
            Field(name="origin", dtype=Int64, description="nothing later was known; microseconds since 1970"),
            Field(name="step", dtype=Int64, description="microseconds from one step to the next"),
            Field(name="steps", dtype=Array(Int64), description="steps ahead, from 1"),
            *(Field(name=column, dtype=Array(Float32), description=meaning) for column, meaning in _NUMBERS.items()),
            Field(name="model", dtype=String, description="name and version of the bundle"),
        ],
        description=description,
    )


FORECAST_VIEWS: tuple[FeatureView, ...] = tuple(_forecast_view(name, *of_view) for name, of_view in FORECASTS.items())
"""All views of forecasts."""
