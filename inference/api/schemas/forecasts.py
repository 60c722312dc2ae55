"""Forecasts: what comes in and what goes out."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.api.schemas.common import MOST_TOGETHER, Identifier, Problem


class ForecastRequest(BaseModel):
    """Of whom, and what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"entity": "track", "id": "t000042", "horizon": 7}]},
    )

    entity: Literal["track", "artist", "genre", "platform", "user"]
    id: Identifier
    target: Literal["streams", "chart", "activity", "load"] | None = Field(
        default=None, description="the first that fits the entity if left out: streams; of listeners, activity"
    )
    horizon: int | None = Field(default=None, ge=1, le=1_000, description="steps; all that were forecast if left out")


class ForecastPoint(BaseModel):
    """One step."""

    start: datetime
    end: datetime
    mean: float
    lower_95: float
    lower_80: float
    median: float
    upper_80: float
    upper_95: float
    chance: float | None = Field(description="of being on the chart, or of no play; null where neither is forecast")


class ForecastResponse(BaseModel):
    """The forecast, and the model that made it."""

    entity: str
    id: str
    target: str
    model: str = Field(examples=["trend_forecaster:3"])
    origin: datetime = Field(description="nothing later was known")
    points: list[ForecastPoint]
    note: str | None = None


class ForecastBatch(BaseModel):
    """Several forecasts."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"requests": [{"entity": "track", "id": "t000042"}]}]}
    )

    requests: list[ForecastRequest] = Field(min_length=1, max_length=MOST_TOGETHER)


class ForecastResult(BaseModel):
    """A forecast, or why there is none."""

    answer: ForecastResponse | None = None
    problem: Problem | None = None


class ForecastResults(BaseModel):
    """In the order of the requests."""

    results: list[ForecastResult]
