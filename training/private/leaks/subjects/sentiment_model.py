"""Sentiment: whether a labelled text was learned from."""

from collections.abc import Sequence

from training.models.text.linear_stack import DEFAULT
from training.models.text.sentiment_model import fit_sentiment, load
from training.private.leaks.leak import Leak
from training.private.leaks.subject import Request, Subject
from training.private.leaks.texts import measure_texts
from transforms.pure.text.analysis import SENTIMENT


def measure(request: Request) -> tuple[Sequence[Leak], dict[str, str]]:
    """Attacks the linear stack of sentiment.

    Raises:
        InputError: there are no labelled texts.
    """
    texts, _ = load(request.home)
    return measure_texts(
        request, texts, DEFAULT, lambda part, recipe: fit_sentiment(list(part.tokens), part.labels, recipe=recipe)
    )


SUBJECT = Subject(SENTIMENT, measure)
