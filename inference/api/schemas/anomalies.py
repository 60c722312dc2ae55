"""Schemas of requests and responses of anomaly detection."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.api.schemas.common import Identifier, Moment

Metric = Annotated[float, Field(allow_inf_nan=False, strict=True)] | None


class ObservationIn(BaseModel):
    """The observation of one entity at one moment."""

    model_config = ConfigDict(extra="forbid")

    entity: Identifier = Field(examples=["host-01"])
    at: Moment
    values: dict[Identifier, Metric] = Field(
        default_factory=dict,
        max_length=100,
        description="metric → number, or feature → value; empty to use the features online",
    )


class DetectRequest(BaseModel):
    """Observations for one detector, oldest first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "detector": "system",
                    "observations": [
                        {
                            "entity": "host-01",
                            "at": "2026-01-20T10:00:00Z",
                            "values": {"cpu_permille": 310, "memory_permille": 540},
                        }
                    ],
                }
            ]
        },
    )

    detector: Literal["system", "performance", "user_behavior", "security", "audio_quality"]
    observations: list[ObservationIn] = Field(min_length=1, max_length=1_000)


class DetectionOut(BaseModel):
    """The detection for one observation."""

    entity: str
    at: datetime
    p_value: float | None = Field(description="share of normal observations that are as unusual; null if unknown")
    score: float | None = Field(description="-log10 of the p-value")
    alarm: bool
    causes: dict[str, float] = Field(description="feature or metric → share in the cause; for alarms only")
    verdict: str = Field(description='"", "missing", "duplicate", "late", "clock" or "relearned"')


class IncidentOut(BaseModel):
    """Alarms that belong together."""

    id: str = Field(description="the same in every report of this incident")
    entity: str
    start: datetime
    end: datetime
    alarms: int
    p_value: float
    causes: dict[str, float]


class DetectResponse(BaseModel):
    """Detections in the order of the observations, and the incidents that they belong to."""

    detector: str
    model: str = Field(examples=["system_anomaly_detector:1"])
    detections: list[DetectionOut]
    incidents: list[IncidentOut]
    note: str | None = None
