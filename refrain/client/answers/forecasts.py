"""Forecasts of one key."""

import msgspec

from refrain.client.answers.time import Time


class ForecastPoint(msgspec.Struct, frozen=True):
    """One step of a forecast, with its intervals.

    Attributes:
        chance: probability of being on the chart, or of no play; None for other targets.
    """

    start: Time
    end: Time
    mean: float
    lower_95: float
    lower_80: float
    median: float
    upper_80: float
    upper_95: float
    chance: float | None


class Forecast(msgspec.Struct, frozen=True):
    """The forecast of one entity.

    Attributes:
        model: name and version of the model.
        origin: the forecast uses no data after this moment.
        points: one point for each step.
    """

    entity: str
    id: str
    target: str
    model: str
    origin: Time
    points: list[ForecastPoint]
    note: str | None = None
