"""Schemas of the responses for health and served models."""

from datetime import datetime

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The health of the process."""

    status: str = Field(examples=["ok"])
    model: str | None = Field(description="the recommender; null while none is promoted", examples=["recommendation:3"])


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
    loaded: bool = Field(description="false before the first request")
    versions: dict[str, str] = Field(examples=[{"recommendation": "recommendation:3"}])
    swapped_at: datetime | None = Field(description="when the last promotion was taken over")
    refused: str | None = Field(description="why the newest promotion was not taken over; null if it was")


class ModelsResponse(BaseModel):
    """All models that serve."""

    models: list[ServedModel]
