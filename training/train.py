"""Train a family by its name."""

from collections.abc import Callable
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home


def _recommendation(home: Home, progress: Progress) -> Any:
    from training.models.recommendation.run import run

    return run(home, progress=progress)


FAMILIES: dict[str, Callable[[Home, Progress], Any]] = {"recommendation": _recommendation}
"""Family to the function that trains, measures and registers it."""


def train(home: Home, family: str, *, progress: Progress = silent) -> Any:
    """Train, measure and register a family.

    Raises:
        InputError: there is no such family.
    """
    if family not in FAMILIES:
        raise InputError(
            expected=f"a model family, one of {sorted(FAMILIES)}",
            found=repr(family),
            next_command="python -m training run --help",
        )
    return FAMILIES[family](home, progress)
