"""Letters in the other case, as in "gReAt"."""

import numpy as np

from training.robustness.attack import Attack, by_change


def swap_case(text: str, share: float, rng: np.random.Generator) -> str:
    """Swaps the case of a share of the letters.

    >>> swap_case("Song", 1.0, np.random.default_rng(0))
    'sONG'
    """
    return "".join(letter.swapcase() if rng.random() < share else letter for letter in text)


ATTACK = Attack(
    name="letter_case",
    kinds=("texts",),
    about="Letters in the other case.",
    unit="share of the letters",
    strengths=(0.25, 0.5, 1.0),
    measure=by_change(swap_case),
)
