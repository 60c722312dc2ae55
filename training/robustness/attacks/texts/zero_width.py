"""Characters that nobody sees, between the letters.

N. Boucher et al., Bad Characters: Imperceptible NLP Attacks, 2022.
"""

import numpy as np

from training.robustness.attack import Attack, by_change

INVISIBLE = "\u200b\u200c\u200d\u2060\u00ad\u2063\u180e\u034f\ufe0f"
"""Zero-width space, non-joiner and joiner, word joiner, soft hyphen, separators, a variation selector."""


def interleave(text: str, share: float, rng: np.random.Generator) -> str:
    """Puts an invisible character behind a share of the letters.

    >>> len(interleave("song", 1.0, np.random.default_rng(0)))
    8
    """
    return "".join(
        letter + INVISIBLE[int(rng.integers(len(INVISIBLE)))] if letter.isalpha() and rng.random() < share else letter
        for letter in text
    )


ATTACK = Attack(
    name="zero_width",
    kinds=("texts",),
    about="Invisible characters between letters.",
    unit="share of the letters",
    strengths=(0.05, 0.1, 0.25, 0.5),
    measure=by_change(interleave),
)
