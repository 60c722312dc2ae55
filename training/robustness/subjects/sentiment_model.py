"""Sentiment under attack: the linear stack, fitted to the training texts alone, asked about the test texts."""

from collections.abc import Sequence
from typing import Any

from training.models.text.linear_stack import DEFAULT
from training.models.text.sentiment_model import fit_sentiment, load
from training.robustness.subject import Request, Subject
from training.robustness.subjects.text_stack import stack_targets
from training.robustness.target import Target
from transforms.pure.text.analysis import SENTIMENT


def targets(request: Request) -> Sequence[Target[Any]]:
    """Fits as the version was measured, with its parameters, and returns the test texts.

    Raises:
        InputError: there are no labelled texts.
    """
    texts, _ = load(request.home)
    return stack_targets(
        request,
        SENTIMENT,
        texts,
        DEFAULT,
        lambda train, recipe: fit_sentiment(list(train.tokens), train.labels, recipe=recipe),
    )


SUBJECT = Subject(SENTIMENT, ("texts",), targets)
