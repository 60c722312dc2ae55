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


class ServedModel(BaseModel):
    """The models that answer one kind of request."""

    serves: str = Field(examples=["recommendations"])
    loaded: bool = Field(description="false before the first request")
    versions: dict[str, str] = Field(examples=[{"recommendation": "recommendation:3"}])
    swapped_at: datetime | None = Field(description="when the last promotion was taken over")
    refused: str | None = Field(description="why the newest promotion was not taken over; null if it was")


class ModelsResponse(BaseModel):
    """All models that serve."""

    models: list[ServedModel]
