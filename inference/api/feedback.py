"""``POST /v1/feedback``: actions of listeners on recommendations."""

import json
from datetime import UTC, datetime
from typing import Any, get_args

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry

from feature_repo.definitions.events.feedback import NO_TRACK
from feature_repo.home import Home
from inference.api import errors
from inference.api.events import write_events
from inference.api.schemas.events import Action, EventsResponse, FeedbackRequest, RefusedEvent
from inference.events import EventWriter
from inference.experiments.running import Running
from inference.monitoring.counters import labelled_counter


def install(app: FastAPI, home: Home, running: Running, registry: CollectorRegistry) -> None:
    """Add the route."""
    writer = EventWriter(home)
    actions = get_args(Action)
    feedback_counter = labelled_counter(registry, "refrain_feedback", "Feedback by action", "action", actions)

    @app.post(
        "/v1/feedback",
        status_code=202,
        responses=errors.RESPONSES | errors.REFUSED_EVENTS,
        response_model=EventsResponse,
        tags=["events"],
        operation_id="send_feedback",
    )
    def feedback(body: FeedbackRequest, request: Request) -> EventsResponse | Response:
        """Appends acts of listeners, at most 1,000, to the stream as events of the kind ``feedback``.

        The ``answer_id`` of a recommendation ties an act to it, so that experiments can learn from it. An act that is
        sent again counts once. An act with a time in the future is refused; if all are, the status is 422.
        """
        now = datetime.now(UTC)
        events: list[dict[str, Any]] = []
        for act in body.acts:
            event = act.model_dump(exclude={"at"}, exclude_none=True) | {"track_id": act.track_id or NO_TRACK}
            events.append(event | {"event_timestamp": (act.at or now).isoformat()})
        outcome = write_events(writer, request, json.dumps({"kind": "feedback", "events": events}).encode())
        refused = {place for place, _ in outcome.refused}
        for place, act in enumerate(body.acts):
            if place not in refused:
                feedback_counter.labels(act.action).inc()
                running.feedback(act.action, act.answer_id)
        problems = [RefusedEvent(place=place, reason=reason) for place, reason in outcome.refused]
        if problems and not outcome.accepted:
            return errors.all_refused(f"no act of {len(problems):,} is valid: {problems[0].reason}", problems)
        return EventsResponse(accepted=outcome.accepted, refused=problems)
