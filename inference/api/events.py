"""``POST /v1/events``."""

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry, Counter

from feature_repo.home import Home
from inference.api import errors
from inference.api.body import whole_body
from inference.api.schemas.events import EVENTS_REQUEST, EventsResponse, RefusedEvent
from inference.events import LARGEST_BODY, EventWriter


def install(app: FastAPI, home: Home, registry: CollectorRegistry) -> None:
    """Add the route."""
    events = EventWriter(home)
    told = Counter("refrain_events", "Events by what became of them", ["outcome"], registry=registry)

    @app.post(
        "/v1/events",
        status_code=202,
        responses=errors.RESPONSES,
        tags=["events"],
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": EVENTS_REQUEST}}},
        },
    )
    async def append_events(request: Request) -> EventsResponse:
        """Append what happened to the stream, 1,000 events at the most; live features follow within milliseconds.

        An event that is sent again counts once. Events that are not what they should be are listed with their place
        and the reason; the others are taken.
        """
        body = await whole_body(request, LARGEST_BODY)
        taken = await run_in_threadpool(events.write, body)
        told.labels("accepted").inc(taken.accepted)
        told.labels("refused").inc(len(taken.refused))
        refused = [RefusedEvent(place=place, reason=reason) for place, reason in taken.refused]
        return EventsResponse(accepted=taken.accepted, refused=refused)
