"""``/v1/experiments``: lists experiments; administrators can start, ramp up and stop them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI, Path

from feature_repo import experiments as declared
from feature_repo.experiments import Experiment
from feature_repo.home import Home
from inference.api import errors
from inference.api.schemas.experiments import ExperimentOut, ExperimentsResponse, StartRequest, StopRequest, VariantOut
from inference.experiments.running import Running
from inference.forecast.forecaster import UnknownKey

Name = Annotated[str, Path(max_length=48, examples=["more_new_music"])]


def install(app: FastAPI, home: Home, running: Running) -> None:
    """Add the routes."""

    @app.get("/v1/experiments", responses=errors.RESPONSES, tags=["experiments"], operation_id="list_experiments")
    def experiments() -> ExperimentsResponse:
        """Lists the declared experiments with their state."""
        declarations = running.declared
        return ExperimentsResponse(
            holdout=declarations.holdout,
            experiments=[_to_response(experiment) for experiment in declarations.experiments.values()],
        )

    @app.post(
        "/v1/experiments/{name}/start",
        responses=errors.RESPONSES,
        tags=["experiments"],
        operation_id="start_experiment",
    )
    def start(name: Name, body: StartRequest) -> ExperimentOut:
        """Starts an experiment or raises its share of listeners; every process follows within two seconds."""
        _check_exists(running, name)
        return _to_response(declared.start(home, name, datetime.now(UTC), body.share))

    @app.post(
        "/v1/experiments/{name}/stop", responses=errors.RESPONSES, tags=["experiments"], operation_id="stop_experiment"
    )
    def stop(name: Name, body: StopRequest) -> ExperimentOut:
        """Stops an experiment for good; all listeners get the default within two seconds."""
        _check_exists(running, name)
        return _to_response(declared.stop(home, name, datetime.now(UTC), body.reason))


def _check_exists(running: Running, name: str) -> None:
    if name not in running.declared.experiments:
        raise UnknownKey(expected="the name of an experiment", found=repr(name), next_command="GET /v1/experiments")


def _to_response(experiment: Experiment) -> ExperimentOut:
    return ExperimentOut(
        name=experiment.name,
        state=experiment.state,
        mode=experiment.mode,
        layer=experiment.layer,
        buckets=list(experiment.buckets),
        share=experiment.share,
        metric=experiment.metric,
        variants=[
            VariantOut(name=arm.name, weight=arm.weight, settings=dict(arm.settings)) for arm in experiment.variants
        ],
        started=experiment.started,
        stopped=experiment.stopped,
        reason=experiment.reason,
    )
