"""Targets of texts: how the texts of any classifier are cleaned, masked and asked about, as in serving."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from training.robustness.target import Target
from transforms.pure.text.clean import clean
from transforms.pure.text.pii import mask
from transforms.pure.text.words import words


def tokens_of(texts: Sequence[str]) -> list[list[str]]:
    """Returns the words of texts as the analysis reads them: cleaned, personal data masked."""
    return [words(mask(clean(text).text).text) for text in texts]


def classifier_target(
    texts: Sequence[str],
    labels: np.ndarray,
    predict: Callable[[Sequence[list[str]]], np.ndarray],
    *,
    judged: str,
    part: str = "",
) -> Target[str]:
    """Makes the target of a classifier of texts, whose margin is the chance of the right class less the next one.

    Args:
        texts: n texts as they arrive.
        labels: (n,) class numbers.
        predict: function of the words of m texts to (m, k) chances.
        judged: what the model learned from, and what the texts are.
        part: what is attacked of the model.
    """

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        if not len(changed):
            return np.empty(0)
        chances, places = predict(tokens_of(changed)).copy(), np.arange(len(changed))
        own = chances[places, labels[units]].copy()
        chances[places, labels[units]] = -np.inf
        return np.asarray(own - chances.max(axis=1))

    return Target("texts", list(texts), margins, "accuracy", judged=judged, part=part)
