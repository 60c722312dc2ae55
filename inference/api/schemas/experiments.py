"""Schemas of requests and responses for experiments."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class VariantOut(BaseModel):
    """One arm of an experiment."""

    name: str
    weight: float
    settings: dict[str, Any]


class ExperimentOut(BaseModel):
    """One experiment."""

    name: str
    state: str = Field(examples=["running"])
    mode: str = Field(examples=["fixed", "bandit"])
    layer: str
    buckets: list[int] = Field(description="first bucket and last bucket + 1, of the 10,000 buckets of the layer")
    share: float = Field(description="share of the listeners in its buckets who take part")
    metric: str
    variants: list[VariantOut]
    started: datetime | None
    stopped: datetime | None
    reason: str = Field(description="why it was stopped")


class ExperimentsResponse(BaseModel):
    """All experiments, and the share of listeners who take part in none."""

    holdout: float
    experiments: list[ExperimentOut]


class StartRequest(BaseModel):
    """The share of listeners who take part in the experiment."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"share": 0.1}]})

    share: float | None = Field(
        default=None, ge=0, le=1, strict=True, description="as before, or as declared, if left out"
    )


class StopRequest(BaseModel):
    """The reason for stopping an experiment."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "more skips than is borne"}]})

    reason: str = Field(min_length=1, max_length=200)
