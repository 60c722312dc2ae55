"""Schemas of requests and responses for forecasts."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.api.schemas.common import MOST_TOGETHER, Identifier, Problem


class ForecastRequest(BaseModel):
    """The entity and the target to forecast."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"entity": "track", "id": "t000042", "horizon": 7}]},
    )

    entity: Literal["track", "artist", "genre", "platform", "user"]
    id: Identifier
    target: Literal["streams", "chart", "activity", "load"] | None = Field(
        default=None, description="if left out, the first target of the entity: streams; for listeners, activity"
    )
    horizon: int | None = Field(
        default=None, ge=1, le=1_000, strict=True, description="number of steps; all steps of the model if left out"
    )


class ForecastPoint(BaseModel):
    """One step of a forecast."""

    start: datetime
    end: datetime
    mean: float
    lower_95: float
    lower_80: float
    median: float
    upper_80: float
    upper_95: float
    chance: float | None = Field(description="probability of being on the chart, or of no play; null for other targets")


class ForecastResponse(BaseModel):
    """The forecast, and the model that made it."""

    entity: str
    id: str
    target: str
    model: str = Field(examples=["trend_forecaster:3"])
    origin: datetime = Field(description="the forecast uses no data after this moment")
    points: list[ForecastPoint]
    note: str | None = None


class ForecastBatch(BaseModel):
    """A batch of forecast requests."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"requests": [{"entity": "track", "id": "t000042"}]}]}
    )

    requests: list[ForecastRequest] = Field(min_length=1, max_length=MOST_TOGETHER)


class ForecastResult(BaseModel):
    """A forecast, or the problem of its request."""

    answer: ForecastResponse | None = None
    problem: Problem | None = None


class ForecastResults(BaseModel):
    """Forecasts in the order of the requests."""

    results: list[ForecastResult]
