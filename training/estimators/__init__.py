"""Ways to learn an answer from rows of numbers: one file each, all alike.

``LEARNERS`` names them. A learner has ``name``, ``defaults`` and ``suggest`` (what a search may try), and
``fit(inputs, answers, kind, parameters, seed)``, which gives a ``Fitted``: ``predict`` says a chance for ``binary`` and
a number for ``number``, ``to_onnx`` the same model for serving, ``contributions`` how much each column moved an answer.
Inputs are (n, d) float32, NaN for missing.
"""

from training.estimators.base import Fitted, Learner
from training.estimators.forest import Forest
from training.estimators.lightgbm_trees import LightGbmTrees
from training.estimators.linear import Linear
from training.estimators.xgboost_trees import XgBoostTrees

LEARNERS: dict[str, Learner] = {
    learner.name: learner for learner in (LightGbmTrees(), XgBoostTrees(), Forest(), Linear())
}

__all__ = ["LEARNERS", "Fitted", "Learner"]
