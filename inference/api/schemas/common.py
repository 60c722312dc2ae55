"""What requests of several routes have in common."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]
MOST_TOGETHER = 100
"""Requests of one family in one batch."""


class RequestContext(BaseModel):
    """Where and when somebody asks; all of it optional."""

    model_config = ConfigDict(extra="forbid")

    device: Identifier | None = Field(default=None, examples=["phone"])
    context: Identifier | None = Field(default=None, examples=["playlist"])
    at: datetime | None = Field(
        default=None, description="moment of the request, UTC without an offset; now if left out"
    )

    def request(self) -> dict[str, Any]:
        """As ``inference.features`` takes it."""
        told: dict[str, Any] = self.model_dump(exclude_none=True)
        if self.at:
            at = told.pop("at")
            told["request_timestamp"] = (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
        return told


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "count: Input should be greater than or equal to 1",
                    "next": "see /docs for what a request looks like",
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    next: str
