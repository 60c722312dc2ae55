"""Learners of rows of numbers, one per file, all with the same interface.

``LEARNERS`` has those that are always installed, ``OPTIONAL`` those of extras; ``learner`` returns one by name. A
learner has ``name``, ``defaults``, ``suggest`` (the search space) and ``fit(inputs, answers, kind, parameters, seed)``,
which returns a ``Fitted``: ``predict`` returns chances for ``binary`` and numbers for ``number``, ``to_onnx`` the same
model for serving, ``contributions`` how much each column moved an answer. Inputs are (n, d) float32, NaN for missing.
"""

from importlib import import_module
from importlib.util import find_spec

from feature_repo.errors import InputError
from feature_repo.extras import install_command
from training.estimators.base import Fitted, Learner
from training.estimators.forest import Forest
from training.estimators.lightgbm_trees import LightGbmTrees
from training.estimators.linear import Linear
from training.estimators.xgboost_trees import XgBoostTrees

LEARNERS: dict[str, Learner] = {each.name: each for each in (LightGbmTrees(), XgBoostTrees(), Forest(), Linear())}
OPTIONAL = {"torch": ("torch_mlp", "TorchMlp", "deep"), "keras": ("keras_mlp", "KerasMlp", "keras")}
"""Name of the learner and of the package it needs → module, class, extra."""


def learner(name: str) -> Learner:
    """Returns a learner by its name.

    Raises:
        InputError: there is none, or its extra is not installed.
    """
    if name in LEARNERS:
        return LEARNERS[name]
    if name not in OPTIONAL:
        raise InputError(
            expected=f"a learner, one of {sorted({*LEARNERS, *OPTIONAL})}",
            found=repr(name),
            next_command="refrain model run NAME --set learner=lightgbm",
        )
    module, class_name, extra = OPTIONAL[name]
    if find_spec(name) is None:
        raise InputError(
            expected=f"the extra {extra}, which the learner {name} needs",
            found=f"no package {name}",
            next_command=install_command(extra),
        )
    instance: Learner = getattr(import_module(f"training.estimators.{module}"), class_name)()
    return instance


__all__ = ["LEARNERS", "OPTIONAL", "Fitted", "Learner", "learner"]
