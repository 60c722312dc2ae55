"""Trains models by name, and writes the forecasts of promoted forecasters."""

from collections.abc import Mapping
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.project import Project
from training.datasets.access import check_model
from training.models.base import FamilyModel, Result
from training.models.find import models


def train(home: Home, name: str, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent) -> Result:
    """Trains, measures and registers a model.

    Args:
        home: the data folder.
        name: name of the model.
        parameters: parameters that differ from the defaults.
        progress: callback for the stages.

    Raises:
        AccessError: the role of this process does not see the features of the model as they are.
        InputError: there is no such model.
    """
    declared = models(home)
    if name not in declared:
        raise InputError(
            expected=f"what to train, one of {sorted(declared)}",
            found=repr(name),
            next_command="refrain model run --help",
        )
    model = declared[name]
    if Project.load(home.project_folder).access is not None:
        check_model(home, name, {service: load_service(home, service) for service in model.services})
    return model.run(home, parameters=parameters, progress=progress)


def forecast(home: Home, *, progress: Progress = silent) -> dict[str, int]:
    """Writes the forecasts of every promoted forecaster from the end of the data on; returns rows written, by view.

    Raises:
        BundleError: no forecaster is promoted.
    """
    written: dict[str, int] = {}
    missing: list[BundleError] = []
    forecasters = [model for model in models(home).values() if isinstance(model, FamilyModel) and model.forecast]
    for position, model in enumerate(forecasters):
        try:
            written |= model.forecast(home)  # type: ignore[misc]
        except BundleError as error:
            missing.append(error)
        progress(position + 1, len(forecasters), model.name)
    if len(missing) == len(forecasters):
        raise BundleError(
            expected="a promoted forecaster",
            found="none",
            next_command="refrain model run trend_forecaster && refrain model promote trend_forecaster"
            if forecasters
            else "refrain model list --all  (no model of this project makes forecasts)",
        )
    return written
