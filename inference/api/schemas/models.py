"""Schemas of the responses for health and served models."""

from datetime import datetime

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The health of the process."""

    status: str = Field(examples=["ok"])
    model: str | None = Field(description="the recommender; null while none is promoted", examples=["recommendation:3"])
    lost_acts: int = Field(
        default=0, description="acts that this process could not write to the audit log", examples=[0]
    )


class Liveness(BaseModel):
    """That the process answers."""

    status: str = Field(examples=["live"])


class Readiness(BaseModel):
    """That all that the routes need is there."""

    status: str = Field(examples=["ready"])
    models: dict[str, str] = Field(
        description="the promoted models, with their versions", examples=[{"recommendation": "recommendation:3"}]
    )


class ServedModel(BaseModel):
    """The models that answer one kind of request."""

    serves: str = Field(examples=["recommendations"])
    loaded: bool = Field(description="whether the process that answers has loaded it; each does at its first request")
    versions: dict[str, str] = Field(
        description="what the process that answers has loaded", examples=[{"recommendation": "recommendation:3"}]
    )
    swapped_at: datetime | None = Field(description="when the process that answers took the last promotion over")
    refused: str | None = Field(description="why it did not take the newest promotion over; null if it did")


class ModelsResponse(BaseModel):
    """All models that serve."""

    models: list[ServedModel]
