"""``/v1/experiments``: what runs; for administrators, ramping up and the kill switch."""

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

Name = Annotated[str, Path(max_length=48)]


def install(app: FastAPI, home: Home, running: Running) -> None:
    """Add the routes."""

    @app.get("/v1/experiments", responses=errors.RESPONSES, tags=["experiments"])
    def experiments() -> ExperimentsResponse:
        """What is declared, and what runs."""
        found = running.declared
        return ExperimentsResponse(
            holdout=found.holdout, experiments=[_told(one) for one in found.experiments.values()]
        )

    @app.post("/v1/experiments/{name}/start", responses=errors.RESPONSES, tags=["experiments"])
    def start(name: Name, body: StartRequest) -> ExperimentOut:
        """Run an experiment, or let more listeners in; every process follows within a second or two."""
        _known(running, name)
        return _told(declared.start(home, name, datetime.now(UTC), body.share))

    @app.post("/v1/experiments/{name}/stop", responses=errors.RESPONSES, tags=["experiments"])
    def stop(name: Name, body: StopRequest) -> ExperimentOut:
        """End an experiment for good: everybody gets what everybody gets, within a second or two."""
        _known(running, name)
        return _told(declared.stop(home, name, datetime.now(UTC), body.reason))


def _known(running: Running, name: str) -> None:
    if name not in running.declared.experiments:
        raise UnknownKey(expected="the name of an experiment", found=repr(name), next_command="GET /v1/experiments")


def _told(one: Experiment) -> ExperimentOut:
    return ExperimentOut(
        name=one.name,
        state=one.state,
        mode=one.mode,
        layer=one.layer,
        buckets=list(one.buckets),
        share=one.share,
        metric=one.metric,
        variants=[VariantOut(name=arm.name, weight=arm.weight, settings=dict(arm.settings)) for arm in one.variants],
        started=one.started,
        stopped=one.stopped,
        reason=one.reason,
    )
