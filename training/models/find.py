"""Finds the models by their type: those of music, of the project, and of installed packages."""

import os

from feature_repo import discovery
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.models.base import Model

PACKAGES = "REFRAIN_MODELS"
"""Environment variable with further packages, separated by commas."""


def models(home: Home | None = None) -> dict[str, Model]:
    """Return name → model, sorted by family and name.

    Args:
        home: the data folder, whose project counts; from the environment if None.

    Raises:
        InputError: two models have one name, or a package cannot be imported.
    """
    declared = contract_of(home or Home.from_env()).find(Model, "models")  # type: ignore[type-abstract]
    for package in filter(None, map(str.strip, os.environ.get(PACKAGES, "").split(","))):
        for name, model in _in_package(package).items():
            if declared.setdefault(name, model) is not model:
                raise discovery.clash(name, "model", "the project or the bundled models", package)
    return dict(sorted(declared.items(), key=lambda item: (item[1].family, item[0])))


def _in_package(package: str) -> dict[str, Model]:
    try:
        return discovery.definitions(package, Model)  # type: ignore[type-abstract]
    except ImportError as error:
        raise InputError(
            expected=f"a package of models that can be imported, as {PACKAGES} names it",
            found=f"{package}: {error}",
            next_command=f"unset {PACKAGES}",
        ) from error


def select(what: str, home: Home | None = None) -> list[Model]:
    """Return the model of a name, all models of a family, or all models.

    Args:
        what: a model, a family, or ``all``.
        home: the data folder, whose project counts; from the environment if None.

    Raises:
        InputError: no model and no family has this name.
    """
    by_name = models(home)
    if what in by_name:
        return [by_name[what]]
    selected = [model for model in by_name.values() if what in ("all", model.family)]
    if not selected:
        raise InputError(
            expected=f"a model, one of {sorted(by_name)}; a family, "
            f"one of {sorted({model.family for model in by_name.values()})}; or all",
            found=repr(what),
            next_command="refrain model run --help",
        )
    return selected
