"""Sentiment under attack: the linear stack, fitted to the training texts alone, asked about the test texts."""

from collections.abc import Sequence
from typing import Any

from training.datasets.texts import split
from training.models.text.linear_stack import DEFAULT
from training.models.text.problem import parameters_of, recipe_with
from training.models.text.sentiment_model import fit_sentiment, load
from training.robustness.subject import Request, Subject
from training.robustness.subjects.texts import classifier_target
from training.robustness.target import Target
from training.version_files import lineage_of
from transforms.pure.text.analysis import SENTIMENT


def targets(request: Request) -> Sequence[Target[Any]]:
    """Fits as the version was measured, with its parameters, and returns the test texts.

    Raises:
        InputError: there are no labelled texts.
    """
    texts, _ = load(request.home)
    parts = split(texts)
    train, test = texts.take(parts.train), texts.take(parts.test)
    lineage = {} if request.version is None else lineage_of(request.home, SENTIMENT, request.version)
    known = parameters_of(DEFAULT)
    chosen = {name: value for name, value in (lineage.get("parameters") or {}).items() if name in known}
    model = fit_sentiment(list(train.tokens), train.labels, recipe=recipe_with(DEFAULT, chosen))
    judged = f"Held out: fitted to {len(train):,} texts, asked about {len(test):,} others, told apart by {parts.by}."
    return [classifier_target(test.texts, test.labels, model.predict, judged=judged)]


SUBJECT = Subject(SENTIMENT, ("texts",), targets)
