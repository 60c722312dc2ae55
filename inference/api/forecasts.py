"""``POST /v1/forecasts``."""

from dataclasses import asdict
from functools import partial

from fastapi import FastAPI, Request

from feature_repo.errors import RefrainError
from feature_repo.home import Home
from inference.api import errors
from inference.api.access import charge
from inference.api.schemas.forecasts import (
    ForecastBatch,
    ForecastRequest,
    ForecastResponse,
    ForecastResult,
    ForecastResults,
)
from inference.forecast.forecaster import TARGETS, Forecaster, target_of
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live


def forecasters(home: Home) -> dict[str, Live[Forecaster]]:
    """Those of one application by target, each loaded when it is first asked; they follow promotions."""
    return {target: Live(partial(kind.load, home=home), [kind.name], home) for target, kind in TARGETS.items()}


def install(app: FastAPI, lives: dict[str, Live[Forecaster]], log: PredictionLog) -> None:
    """Add the routes."""

    def forecast(body: ForecastRequest) -> ForecastResponse:
        target = target_of(body.entity, body.target).target
        found = lives[target].get().forecast(body.entity, body.id, horizon=body.horizon)
        first = found.points[0]
        log.put(
            "forecasts",
            found.model,
            target=found.target,
            entity=found.entity,
            mean=first.mean,
            width=first.upper_95 - first.lower_95,
        )
        return ForecastResponse.model_validate(asdict(found))

    @app.post("/v1/forecasts", responses=errors.RESPONSES, tags=["forecasting"])
    def forecasts(body: ForecastRequest) -> ForecastResponse:
        """What is forecast of a track, artist, genre, listener or all together, with intervals."""
        return forecast(body)

    @app.post("/v1/forecasts/batch", responses=errors.RESPONSES, tags=["forecasting"])
    def batch(request: Request, body: ForecastBatch) -> ForecastResults:
        """The same for up to 100 keys; each gets a forecast or a problem of its own, and counts as a request."""
        charge(request, len(body.requests) - 1)

        def one(asked: ForecastRequest) -> ForecastResult:
            try:
                return ForecastResult(answer=forecast(asked))
            except RefrainError as error:
                return ForecastResult(problem=errors.told(error))

        return ForecastResults(results=[one(asked) for asked in body.requests])
