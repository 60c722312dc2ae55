"""``POST /v1/forecasts``."""

from dataclasses import asdict
from functools import partial

from fastapi import FastAPI

from feature_repo.home import Home
from inference.api import errors
from inference.api.schemas import ForecastRequest, ForecastResponse
from inference.forecast.forecaster import TARGETS, Forecaster, target_of
from inference.swap import Live


def forecasters(home: Home) -> dict[str, Live[Forecaster]]:
    """Those of one application by target, each loaded when it is first asked; they follow promotions."""
    return {target: Live(partial(kind.load, home=home), [kind.name], home) for target, kind in TARGETS.items()}


def install(app: FastAPI, lives: dict[str, Live[Forecaster]]) -> None:
    """Add the route."""

    @app.post("/v1/forecasts", responses=errors.RESPONSES, tags=["forecasting"])
    def forecasts(body: ForecastRequest) -> ForecastResponse:
        """What is forecast of a track, artist, genre, listener or all together, with intervals."""
        target = target_of(body.entity, body.target).target
        found = lives[target].get().forecast(body.entity, body.id, horizon=body.horizon)
        return ForecastResponse.model_validate(asdict(found))
