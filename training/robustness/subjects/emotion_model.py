"""Emotion under attack: the linear stack, fitted to the training texts alone, asked about the test texts."""

from collections.abc import Sequence
from typing import Any

from training.models.text.emotion_model import RECIPE, fit_emotion, load
from training.robustness.subject import Request, Subject
from training.robustness.subjects.text_stack import stack_targets
from training.robustness.target import Target
from transforms.pure.text.analysis import EMOTION


def targets(request: Request) -> Sequence[Target[Any]]:
    """Fits as the version was measured, with its parameters, and returns the test texts.

    Raises:
        InputError: there are no labelled texts.
    """
    texts, _ = load(request.home)
    return stack_targets(
        request,
        EMOTION,
        texts,
        RECIPE,
        lambda train, recipe: fit_emotion(list(train.tokens), train.labels, recipe, classes=texts.classes),
    )


SUBJECT = Subject(EMOTION, ("texts",), targets)
