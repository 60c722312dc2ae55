"""How predictions leave the server: rounded, as labels, or as they are. The one place where they are changed.

Rounding does not stop theft: copies that are trained on labels alone decide nearly as well (docs/model_theft.md).
"""

import numpy as np

from feature_repo.model_theft import AnswerSettings
from inference.security.caller import Caller


def form_answers(values: np.ndarray, kind: str, settings: AnswerSettings, caller: Caller | None) -> list[float]:
    """Give predictions the form that a caller gets.

    Args:
        values: (n,) predictions.
        kind: ``binary`` for chances, ``number`` for numbers.
        settings: what is declared of the model.
        caller: who gets them; fewer digits of its limits count.

    >>> form_answers(np.array([0.1234, 0.5]), "binary", AnswerSettings(digits=2), None)
    [0.12, 0.5]
    >>> form_answers(np.array([0.1234, 0.5]), "binary", AnswerSettings(labels_only=True), None)
    [0.0, 1.0]
    """
    if kind == "binary" and settings.labels_only:
        return [float(value) for value in values >= 0.5]
    own = None if caller is None or caller.limits is None else caller.limits.digits
    digits = min((most for most in (settings.digits, own) if most is not None), default=None)
    listed: list[float] = values.tolist()
    return listed if digits is None else [round(value, digits) for value in listed]
