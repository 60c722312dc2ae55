"""Schemas of requests and responses for events and feedback."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from feature_repo.events import LONGEST_ID
from feature_repo.windows import EventSource
from inference.api.schemas.common import MomentWithOffset, Problem
from inference.events import MOST_EVENTS

EventId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID)]


_EXAMPLE_IDS = {"user_id": "u000042", "track_id": "t000007", "artist_id": "a00001"}
_EXAMPLES: dict[str, Any] = {"String": "an id", "Int64": 1, "Float64": 1.5, "Bool": True, "Date": "2026-03-01"}


def _example(kind: str, source: EventSource) -> dict[str, Any]:
    """Makes an example of one event, with all its columns."""
    values = {
        name: _EXAMPLE_IDS.get(name, source.ranges.get(name, (_EXAMPLES[dtype],))[0])
        for name, dtype in source.columns.items()
    }
    return {"kind": kind, "events": [{"event_timestamp": "2026-03-01T21:04:05Z", **values}]}


def events_schema(sources: Mapping[str, EventSource]) -> dict[str, Any]:
    """Build the JSON schema of ``POST /v1/events`` from the declarations of the event sources."""
    types = {"String": "string", "Int64": "integer", "Float64": "number", "Bool": "boolean", "Date": "string"}
    kind_schemas = {}
    for kind, source in sources.items():
        properties: dict[str, Any] = {
            "event_timestamp": {"type": "string", "format": "date-time"},
            "created_timestamp": {"type": "string", "format": "date-time"},
        }
        for name, dtype in source.columns.items():
            properties[name] = {"type": types[dtype]} | ({"maxLength": LONGEST_ID} if dtype == "String" else {})
            properties[name] |= {"format": "date"} if dtype == "Date" else {}
            if (limits := source.limits(name)) is not None:
                properties[name] |= dict(zip(("minimum", "maximum"), limits, strict=True))
        kind_schemas[kind] = {"type": "object", "required": ["event_timestamp", *source.key], "properties": properties}
    return {
        "type": "object",
        "required": ["kind", "events"],
        "additionalProperties": False,
        "properties": {
            "kind": {"type": "string", "enum": list(kind_schemas)},
            "events": {"type": "array", "maxItems": MOST_EVENTS, "items": {"anyOf": list(kind_schemas.values())}},
        },
        "examples": [_example(kind, sources[kind]) for kind in sorted(sources, key=lambda kind: kind != "plays")[:1]],
    }


Action = Literal["click", "like", "dislike", "hide", "rate", "subscribe", "cancel", "purchase", "unlike", "undislike"]


class Act(BaseModel):
    """One act of a listener."""

    model_config = ConfigDict(extra="forbid")

    user_id: EventId
    action: Action
    track_id: EventId | None = None
    answer_id: EventId | None = Field(default=None, description="answer_id of the recommendation that the act is about")
    rating: int | None = Field(default=None, ge=1, le=5, strict=True)
    amount_cents: int | None = Field(default=None, ge=0, le=100_000_000, strict=True)
    at: MomentWithOffset | None = Field(default=None, description="when it happened; now if left out")

    @model_validator(mode="after")
    def _rated(self) -> "Act":
        if (self.action == "rate") != (self.rating is not None):
            raise ValueError("`rating` goes with the action `rate`, and with no other")
        return self


class FeedbackRequest(BaseModel):
    """Acts of listeners."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"acts": [{"user_id": "u000042", "action": "like", "track_id": "t000007"}]}]},
    )

    acts: list[Act] = Field(min_length=1, max_length=MOST_EVENTS)


class RefusedEvent(BaseModel):
    """An event that was refused."""

    place: int = Field(description="index of the event in the request, from 0")
    reason: str = Field(examples=["user_id: expected str, got int"])


class RefusedEventsProblem(Problem):
    """The problem of a request whose events were all refused."""

    accepted: int = Field(description="0")
    refused: list[RefusedEvent]


class EventsResponse(BaseModel):
    """The outcome for the events of a request."""

    accepted: int = Field(description="number of events that were appended to the stream")
    refused: list[RefusedEvent]
