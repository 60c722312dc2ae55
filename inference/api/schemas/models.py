"""What serves, and whether it can."""

from datetime import datetime

from pydantic import BaseModel, Field


class Health(BaseModel):
    """Whether the process can answer."""

    status: str = Field(examples=["ok"])
    model: str = Field(examples=["recommendation:3"])


class ServedModel(BaseModel):
    """What answers one kind of request."""

    serves: str = Field(examples=["recommendations"])
    loaded: bool = Field(description="false if nobody asked yet")
    versions: dict[str, str] = Field(examples=[{"recommendation": "recommendation:3"}])
    swapped_at: datetime | None = Field(description="when the last promotion was taken over")
    refused: str | None = Field(description="why the newest promotion was not taken over; null if it was")


class ModelsResponse(BaseModel):
    """All that serves."""

    models: list[ServedModel]
