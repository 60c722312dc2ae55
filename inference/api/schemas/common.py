"""Schemas that several routes share."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]
MOST_TOGETHER = 100
"""Maximum number of requests in one batch."""


def _check_is_text(value: object) -> object:
    """Refuse numbers, which pydantic would take for seconds since 1970."""
    is_date = isinstance(value, datetime | None) or (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value))
    if not is_date:
        raise PydanticCustomError("datetime", "Input should be a valid datetime, such as 2026-03-01T21:04:05Z")
    return value


Moment = Annotated[datetime, BeforeValidator(_check_is_text)]
"""A date and time in ISO 8601; UTC without an offset."""
MomentWithOffset = Annotated[AwareDatetime, BeforeValidator(_check_is_text)]
"""A date and time in ISO 8601 with its offset."""


class RequestContext(BaseModel):
    """Device, context and moment of a request; all optional."""

    model_config = ConfigDict(extra="forbid")

    device: Identifier | None = Field(default=None, examples=["phone"])
    context: Identifier | None = Field(default=None, examples=["playlist"])
    at: Moment | None = Field(default=None, description="moment of the request, UTC without an offset; now if left out")

    def request(self) -> dict[str, Any]:
        """Convert to the request fields of ``inference.features``."""
        fields: dict[str, Any] = self.model_dump(exclude_none=True)
        if self.at:
            at = fields.pop("at")
            fields["request_timestamp"] = (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
        return fields


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
