"""``POST /v1/forecasts``."""

from dataclasses import asdict
from functools import partial

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException

from feature_repo.audit_lines import whose
from feature_repo.errors import RefrainError
from feature_repo.home import Home
from inference.api import errors
from inference.api.acts import audit_act
from inference.api.costs import charge_in_thread
from inference.api.permission import Permission, role_field
from inference.api.schemas.forecasts import (
    ForecastBatch,
    ForecastRequest,
    ForecastResponse,
    ForecastResult,
    ForecastResults,
)
from inference.api.theft import check_questions
from inference.forecast.forecaster import TARGETS, Forecaster, target_of
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live


def forecasters(home: Home) -> dict[str, Live[Forecaster]]:
    """Make the forecasters of one application by target; each is loaded on first use and follows promotions."""
    return {target: Live(partial(kind.load, home=home), [kind.name], home) for target, kind in TARGETS.items()}


def install(app: FastAPI, lives: dict[str, Live[Forecaster]], log: PredictionLog, permission: Permission) -> None:
    """Add the routes."""

    def forecast(request: Request, body: ForecastRequest) -> ForecastResponse:
        target = target_of(body.entity, body.target).target
        sight = None
        if permission.has_rules:
            lookup, join_key = lives[target].get().lookup(body.entity)
            sight = permission.check(request, lookup, {join_key: [body.id]}, needs=None)
        if body.entity == "user":
            audit_act(request, "forecast", **role_field(sight), **whose({"user_id": [body.id]}))
        result = lives[target].get().forecast(body.entity, body.id, horizon=body.horizon)
        first = result.points[0]
        key = {lives[target].get().lookup(body.entity)[1]: [body.id]}
        check_questions(request, f"forecasts-{result.target}", [f"{body.entity} {body.id}"], keys=key)
        log.put(
            "forecasts",
            result.model,
            target=result.target,
            entity=result.entity,
            mean=first.mean,
            width=first.upper_95 - first.lower_95,
        )
        return ForecastResponse.model_validate(asdict(result))

    @app.post("/v1/forecasts", responses=errors.RESPONSES, tags=["forecasting"], operation_id="forecast")
    def forecasts(request: Request, body: ForecastRequest) -> ForecastResponse:
        """Forecasts a track, an artist, a genre, a listener or the whole platform, with intervals."""
        return forecast(request, body)

    @app.post("/v1/forecasts/batch", responses=errors.RESPONSES, tags=["forecasting"], operation_id="forecast_batch")
    def batch(request: Request, body: ForecastBatch) -> ForecastResults:
        """Forecasts up to 100 keys; each gets a forecast or a problem of its own and counts as a request."""
        charge_in_thread(request, len(body.requests), "forecasts of a batch")

        def forecast_or_problem(request_body: ForecastRequest) -> ForecastResult:
            try:
                return ForecastResult(answer=forecast(request, request_body))
            except RefrainError as error:
                return ForecastResult(problem=errors.to_problem(error))
            except HTTPException as error:  # a budget of questions is used up
                return ForecastResult(problem=errors.exception_to_problem(error))

        return ForecastResults(results=[forecast_or_problem(request_body) for request_body in body.requests])
