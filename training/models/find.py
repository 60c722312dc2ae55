"""All models: whatever module below ``training.models`` has a ``MODEL``, and packages of others."""

import os
import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from feature_repo.errors import InputError
from training.models.base import Model

PACKAGES = "REFRAIN_MODELS"
"""Names further packages, with commas between them; installed ones may say so by the entry point ``refrain.models``."""


def models() -> dict[str, Model]:
    """Name → model, by family and name.

    Raises:
        InputError: two models have one name, or a package cannot be imported.
    """
    others = [name.strip() for name in os.environ.get(PACKAGES, "").split(",") if name.strip()]
    installed = [point.value for point in entry_points(group="refrain.models")]
    return dict(_found(("training.models", *others, *installed)))


def named(what: str) -> list[Model]:
    """A model by its name, all of a family by the family's, or all.

    Raises:
        InputError: there is no such model and no such family.
    """
    known = models()
    if what in known:
        return [known[what]]
    chosen = [model for model in known.values() if what in ("all", model.family)]
    if not chosen:
        raise InputError(
            expected=f"a model, one of {sorted(known)}; a family, one of {sorted({m.family for m in known.values()})}; "
            "or all",
            found=repr(what),
            next_command="python -m training run --help",
        )
    return chosen


@cache
def _found(packages: tuple[str, ...]) -> tuple[tuple[str, Model], ...]:
    found: dict[str, Model] = {}
    for package in packages:
        for module in _modules(package):
            model = getattr(module, "MODEL", None)
            if not isinstance(model, Model):
                continue
            if model.name in found and found[model.name] is not model:
                raise InputError(
                    expected="models with names of their own",
                    found=f"a second {model.name!r} in {module.__name__}",
                    next_command=f"give the MODEL of {module.__name__} another name",
                )
            found[model.name] = model
    return tuple(sorted(found.items(), key=lambda item: (item[1].family, item[0])))


def _modules(package: str) -> list[ModuleType]:
    try:
        root = import_module(package)
    except ImportError as error:
        raise InputError(
            expected=f"a package of models that can be imported, as {PACKAGES} names it",
            found=f"{package}: {error}",
            next_command=f"unset {PACKAGES}",
        ) from error
    below = pkgutil.walk_packages(getattr(root, "__path__", []), f"{package}.")
    return [root, *(import_module(module.name) for module in below)]
