"""Emotion: whether a labelled text was learned from."""

from collections.abc import Sequence

from training.models.text.emotion_model import RECIPE, fit_emotion, load
from training.private.leaks.leak import Leak
from training.private.leaks.subject import Request, Subject
from training.private.leaks.texts import measure_texts
from transforms.pure.text.analysis import EMOTION


def measure(request: Request) -> tuple[Sequence[Leak], dict[str, str]]:
    """Attacks the linear stack of emotion.

    Raises:
        InputError: there are no labelled texts.
    """
    texts, _ = load(request.home)
    return measure_texts(
        request,
        texts,
        RECIPE,
        lambda part, recipe: fit_emotion(list(part.tokens), part.labels, recipe, classes=texts.classes),
    )


SUBJECT = Subject(EMOTION, measure)
