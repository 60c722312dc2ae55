"""``POST /v1/feedback``: what a listener did about what was shown."""

import json
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from feature_repo.home import Home
from feature_repo.windows.events import NO_TRACK
from inference.api import errors
from inference.api.schemas.events import EventsResponse, FeedbackRequest, RefusedEvent
from inference.events import EventWriter
from inference.experiments.running import Running


def install(app: FastAPI, home: Home, running: Running, registry: CollectorRegistry) -> None:
    """Add the route."""
    writer = EventWriter(home)
    told = Counter("refrain_feedback", "Feedback by action", ["action"], registry=registry)

    @app.post("/v1/feedback", status_code=202, responses=errors.RESPONSES, tags=["events"])
    def feedback(body: FeedbackRequest) -> EventsResponse:
        """What listeners did, 1,000 acts at the most; they are events (kind ``feedback``) of the stream.

        ``answer_id`` of a recommendation ties an act to it: experiments learn from that. An act that is sent again
        counts once; a moment in the future is refused.
        """
        now = datetime.now(UTC)
        events: list[dict[str, Any]] = []
        for act in body.acts:
            event = act.model_dump(exclude={"at"}, exclude_none=True) | {"track_id": act.track_id or NO_TRACK}
            events.append(event | {"event_timestamp": (act.at or now).isoformat()})
        taken = writer.write(json.dumps({"kind": "feedback", "events": events}).encode())
        refused = {place for place, _ in taken.refused}
        for place, act in enumerate(body.acts):
            if place not in refused:
                told.labels(act.action).inc()
                running.feedback(act.action, act.answer_id)
        return EventsResponse(
            accepted=taken.accepted, refused=[RefusedEvent(place=place, reason=why) for place, why in taken.refused]
        )
