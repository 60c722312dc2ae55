"""``POST /v1/events``."""

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from feature_repo.contract import contract_of
from feature_repo.home import Home
from inference.api import errors
from inference.api.body import read_body
from inference.api.schemas.events import EventsResponse, RefusedEvent, events_schema
from inference.api.theft import caller_of
from inference.events import EventWriter, WriteOutcome
from inference.monitoring.counters import labelled_counter
from inference.security.event_budgets import EventBudgets, OverBudget


def install(app: FastAPI, home: Home, registry: CollectorRegistry) -> None:
    """Add the route."""
    writer, schema = EventWriter(home), events_schema(contract_of(home).events)
    outcomes = ("accepted", "refused")
    event_counter = labelled_counter(registry, "refrain_events", "Events by outcome", "outcome", outcomes)

    @app.post(
        "/v1/events",
        status_code=202,
        responses=errors.RESPONSES | errors.REFUSED_EVENTS,
        response_model=EventsResponse,
        tags=["events"],
        operation_id="send_events",
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        },
    )
    async def append_events(request: Request) -> EventsResponse | Response:
        """Appends events to the stream, at most 1,000; live features follow within milliseconds.

        An event that is sent again counts once; in budgets of events it counts each time. Invalid events are
        listed with their place and the reason; the others are accepted. If all are invalid, the status is 422.
        """
        body = await read_body(request)
        outcome = await run_in_threadpool(write_events, writer, request, body)
        event_counter.labels("accepted").inc(outcome.accepted)
        event_counter.labels("refused").inc(len(outcome.refused))
        refused = [RefusedEvent(place=place, reason=reason) for place, reason in outcome.refused]
        if refused and not outcome.accepted:
            return errors.all_refused(f"no event of {len(refused):,} is valid: {refused[0].reason}", refused)
        return EventsResponse(accepted=outcome.accepted, refused=refused)


def write_events(writer: EventWriter, request: Request, body: bytes) -> WriteOutcome:
    """Appends the events of a request within the budgets of its key and of accounts. Call it in a thread.

    Raises:
        HTTPException: 429, the budget of the key is used up.
    """
    access = getattr(request.app.state, "access", None)
    try:
        return writer.write(body, caller_of(request), None if access is None else EventBudgets(access.limiter))
    except OverBudget as error:
        raise HTTPException(429, str(error), errors.retry_after(error.wait_s)) from error
