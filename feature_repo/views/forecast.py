"""Forecasts stored as features, with their origin as event time, so that a training set sees only earlier forecasts.

All forecast views share one schema. Lists have one element per forecast step.
"""

from feast import Entity, FeatureView, Field
from feast.types import Array, Float32, Int64, String

from feature_repo.entities import artist, genre, platform, track, user
from feature_repo.sources import feature_table

FORECASTS: dict[str, tuple[Entity, str]] = {
    "track_streams_forecast": (track, "Plays of a track a day"),
    "artist_streams_forecast": (artist, "Plays of an artist a day"),
    "genre_streams_forecast": (genre, "Plays of a genre a day"),
    "platform_streams_forecast": (platform, "Plays of everybody a day"),
    "platform_load_forecast": (platform, "Plays of everybody an hour; upper_95 is what to be ready for"),
    "track_chart_forecast": (track, "Place on the weekly chart if it is on it; chance is that it is"),
    "user_activity_forecast": (user, "Plays of a listener in the days to come; chance is that there are none"),
}
"""View → its entity, and a description of the forecast."""

_NUMBERS = {
    "mean": "what is expected",
    "lower_95": "below it with 2.5 %",
    "lower_80": "below it with 10 %",
    "median": "below it with 50 %",
    "upper_80": "below it with 90 %",
    "upper_95": "below it with 97.5 %",
    "chance": "a probability, where the view's description names one",
}


def _forecast_view(name: str, entity: Entity, description: str) -> FeatureView:
    return feature_table(
        name,
        entities=[entity],
        schema=[
            Field(name="origin", dtype=Int64, description="nothing later was known; microseconds since 1970"),
            Field(name="step", dtype=Int64, description="microseconds from one step to the next"),
            Field(name="steps", dtype=Array(Int64), description="steps ahead, from 1"),
            *(Field(name=column, dtype=Array(Float32), description=meaning) for column, meaning in _NUMBERS.items()),
            Field(name="model", dtype=String, description="name and version of the bundle"),
        ],
        description=description,
    )


FORECAST_VIEWS: dict[str, FeatureView] = {
    name: _forecast_view(name, entity, what) for name, (entity, what) in FORECASTS.items()
}
"""All views of forecasts, by name."""
