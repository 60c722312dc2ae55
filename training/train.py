"""Train models by name, and let the champions of forecasters speak."""

from collections.abc import Mapping
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from training.models.base import FamilyModel, Result
from training.models.find import models


def train(home: Home, name: str, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent) -> Result:
    """Train, measure and register a model.

    Args:
        home: the data folder.
        name: of the model.
        parameters: that differ from the defaults.
        progress: told of each stage.

    Raises:
        InputError: there is no such model.
    """
    known = models()
    if name not in known:
        raise InputError(
            expected=f"what to train, one of {sorted(known)}",
            found=repr(name),
            next_command="python -m training run --help",
        )
    return known[name].run(home, parameters=parameters, progress=progress)


def forecast(home: Home, *, progress: Progress = silent) -> dict[str, int]:
    """Let every promoted forecaster speak from the end of the data on; rows written, by view.

    Raises:
        BundleError: none is promoted.
    """
    written: dict[str, int] = {}
    missing: list[BundleError] = []
    speaking = [model for model in models().values() if isinstance(model, FamilyModel) and model.forecast]
    for number, model in enumerate(speaking):
        try:
            written |= model.forecast(home)  # type: ignore[misc]
        except BundleError as error:
            missing.append(error)
        progress(number + 1, len(speaking), model.name)
    if len(missing) == len(speaking):
        raise BundleError(
            expected="a promoted forecaster",
            found="none",
            next_command="python -m training run trend_forecaster && python -m training promote trend_forecaster",
        )
    return written
