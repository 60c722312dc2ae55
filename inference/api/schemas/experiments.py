"""Experiments: what comes in and what goes out."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class VariantOut(BaseModel):
    """One arm."""

    name: str
    weight: float
    settings: dict[str, Any]


class ExperimentOut(BaseModel):
    """One experiment."""

    name: str
    state: str = Field(examples=["running"])
    mode: str = Field(examples=["fixed", "bandit"])
    layer: str
    buckets: list[int] = Field(description="first and last + 1 of the 10,000 of its layer")
    share: float = Field(description="of those listeners who are in")
    metric: str
    variants: list[VariantOut]
    started: datetime | None
    stopped: datetime | None
    reason: str = Field(description="why it was stopped")


class ExperimentsResponse(BaseModel):
    """All experiments, and the share of listeners who are in none."""

    holdout: float
    experiments: list[ExperimentOut]


class StartRequest(BaseModel):
    """How many of its listeners are in."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"share": 0.1}]})

    share: float | None = Field(default=None, ge=0, le=1, description="as before, or as declared, if left out")


class StopRequest(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "more skips than is borne"}]})

    reason: str = Field(min_length=1, max_length=200)
