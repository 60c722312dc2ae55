"""A space inside words, as in "gre at"."""

import re

import numpy as np

from training.robustness.attack import Attack, by_change

WORD = re.compile(r"[^\W\d_]{4,}")


def split_words(text: str, share: float, rng: np.random.Generator) -> str:
    """Puts a space inside a share of the words of four letters or more.

    >>> split_words("great", 1.0, np.random.default_rng(0)).replace(" ", "")
    'great'
    """

    def split(match: re.Match[str]) -> str:
        place = int(rng.integers(1, len(match[0])))
        return f"{match[0][:place]} {match[0][place:]}" if rng.random() < share else match[0]

    return WORD.sub(split, text)


ATTACK = Attack(
    name="split_words",
    kinds=("texts",),
    about="A space inside words.",
    unit="share of the words",
    strengths=(0.1, 0.2, 0.4, 0.8),
    measure=by_change(split_words),
)
