"""Finds the models: each module with a ``MODEL`` below ``training.models`` and below further packages."""

import os
import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from feature_repo.errors import InputError
from training.models.base import Model

PACKAGES = "REFRAIN_MODELS"
"""Environment variable with further packages, separated by commas; the entry point ``refrain.models`` adds others."""


def models() -> dict[str, Model]:
    """Return name → model, sorted by family and name.

    Raises:
        InputError: two models have one name, or a package cannot be imported.
    """
    from_environment = [name.strip() for name in os.environ.get(PACKAGES, "").split(",") if name.strip()]
    installed = [entry_point.value for entry_point in entry_points(group="refrain.models")]
    return dict(_models_in(("training.models", *from_environment, *installed)))


def select(what: str) -> list[Model]:
    """Return the model of a name, all models of a family, or all models.

    Raises:
        InputError: no model and no family has this name.
    """
    by_name = models()
    if what in by_name:
        return [by_name[what]]
    selected = [model for model in by_name.values() if what in ("all", model.family)]
    if not selected:
        raise InputError(
            expected=f"a model, one of {sorted(by_name)}; a family, "
            f"one of {sorted({model.family for model in by_name.values()})}; or all",
            found=repr(what),
            next_command="python -m training run --help",
        )
    return selected


@cache
def _models_in(packages: tuple[str, ...]) -> tuple[tuple[str, Model], ...]:
    models_by_name: dict[str, Model] = {}
    for package in packages:
        for module in _modules(package):
            model = getattr(module, "MODEL", None)
            if not isinstance(model, Model):
                continue
            if model.name in models_by_name and models_by_name[model.name] is not model:
                raise InputError(
                    expected="models with different names",
                    found=f"a second {model.name!r} in {module.__name__}",
                    next_command=f"give the MODEL of {module.__name__} another name",
                )
            models_by_name[model.name] = model
    return tuple(sorted(models_by_name.items(), key=lambda item: (item[1].family, item[0])))


def _modules(package: str) -> list[ModuleType]:
    try:
        root = import_module(package)
    except ImportError as error:
        raise InputError(
            expected=f"a package of models that can be imported, as {PACKAGES} names it",
            found=f"{package}: {error}",
            next_command=f"unset {PACKAGES}",
        ) from error
    submodules = pkgutil.walk_packages(getattr(root, "__path__", []), f"{package}.")
    return [root, *(import_module(module.name) for module in submodules)]
