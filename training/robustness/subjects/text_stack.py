"""Targets of the linear stack of texts, fitted to the training texts alone, asked about the test texts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from training.datasets.texts import LabelledTexts, split
from training.models.text.linear_stack import Recipe
from training.models.text.problem import chances, parameters_of, recipe_with
from training.robustness.subject import Request
from training.robustness.subjects.texts import classifier_target
from training.robustness.target import Target
from training.version_files import lineage_of
from transforms.pure.text.linear import LinearText


def stack_targets(
    request: Request,
    name: str,
    texts: LabelledTexts,
    default: Recipe,
    fit: Callable[[LabelledTexts, Recipe], LinearText],
) -> Sequence[Target[Any]]:
    """Fits as the version was measured, with its parameters, and returns the test texts.

    Args:
        request: what is attacked.
        name: the model.
        texts: its labelled texts.
        default: its recipe, where the version has no parameters of its own.
        fit: function of training texts and a recipe to the fitted model.
    """
    parts = split(texts)
    train, test = texts.take(parts.train), texts.take(parts.test)
    lineage = {} if request.version is None else lineage_of(request.home, name, request.version)
    known = parameters_of(default)
    chosen = {key: value for key, value in (lineage.get("parameters") or {}).items() if key in known}
    model = fit(train, recipe_with(default, chosen))
    judged = f"Held out: fitted to {len(train):,} texts, asked about {len(test):,} others, told apart by {parts.by}."

    def predict(tokens: Sequence[list[str]]) -> np.ndarray:
        return chances(model, tokens, texts.classes)

    return [classifier_target(test.texts, test.labels, predict, judged=judged)]
