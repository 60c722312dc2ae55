"""What sentiment and emotion of texts give away: whether a text was learned from, by shadow models."""

from collections.abc import Callable, Sequence

import numpy as np

from training.datasets.texts import LabelledTexts
from training.models.text.linear_stack import Recipe
from training.models.text.problem import chances, parameters_of, recipe_with
from training.private.leaks.leak import Leak
from training.private.leaks.lira import logit
from training.private.leaks.shadows import FEWEST_PEOPLE, attack_models, shadow_confidence, too_few
from training.private.leaks.subject import Request
from training.version_files import lineage_of
from transforms.pure.text.linear import LinearText


def measure_texts(
    request: Request, texts: LabelledTexts, default: Recipe, fit_texts: Callable[[LabelledTexts, Recipe], LinearText]
) -> tuple[Sequence[Leak], dict[str, str]]:
    """Attacks the linear stack, with the parameters of the version.

    Args:
        request: what is to be measured.
        texts: the labelled texts.
        default: the recipe, where the version has no parameters of its own.
        fit_texts: function of texts and a recipe to the fitted model.
    """
    drawn = np.random.default_rng(request.seed).permutation(len(texts))[: request.people]
    texts = texts.take(np.sort(drawn))
    part = "chances of texts"
    if len(texts) < FEWEST_PEOPLE:
        return too_few(part, len(texts), "text"), {}
    lineage = {} if request.version is None else lineage_of(request.home, request.model.name, request.version)
    known = parameters_of(default)
    recipe = recipe_with(default, {key: one for key, one in (lineage.get("parameters") or {}).items() if key in known})

    def fit(is_in: np.ndarray) -> np.ndarray:
        model = fit_texts(texts.take(np.flatnonzero(is_in)), recipe)
        answers = chances(model, list(texts.tokens), texts.classes)
        return logit(answers[np.arange(len(texts)), texts.labels])

    confidence, is_in = shadow_confidence(len(texts), request.shadows, fit, request.seed, request.progress)
    return attack_models(part, confidence, is_in, "text"), {}
