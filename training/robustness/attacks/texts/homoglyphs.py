"""Look-alikes: Latin letters replaced by letters of other scripts that look the same.

E. Gabrilovich and A. Gontmakher, The Homograph Attack, Communications of the ACM 45(2), 2002.
"""

import numpy as np

from training.robustness.attack import Attack, by_change

ALIKE = {
    "a": "\u0430\u0251",
    "c": "\u0441\u03f2",
    "d": "\u0501",
    "e": "\u0435",
    "h": "\u04bb",
    "i": "\u0456\u2170",
    "j": "\u0458",
    "l": "\u217c\u04cf",
    "o": "\u043e\u03bf",
    "p": "\u0440\u03c1",
    "s": "\u0455",
    "v": "\u03bd\u2174",
    "x": "\u0445\u2179",
    "y": "\u0443",
    "A": "\u0410\u0391",
    "B": "\u0412\u0392",
    "C": "\u0421",
    "E": "\u0415\u0395",
    "H": "\u041d\u0397",
    "I": "\u0406\u0399",
    "K": "\u041a\u039a",
    "M": "\u041c\u039c",
    "N": "\u039d",
    "O": "\u041e\u039f",
    "P": "\u0420\u03a1",
    "S": "\u0405",
    "T": "\u0422\u03a4",
    "X": "\u0425\u03a7",
    "Y": "\u03a5\u04ae",
}
"""Letter → letters of the Cyrillic and Greek scripts and Roman numerals that look like it."""


def disguise(text: str, share: float, rng: np.random.Generator) -> str:
    """Replaces a share of the letters by letters that look the same.

    >>> disguise("song", 1.0, np.random.default_rng(0)) == "song", len(disguise("song", 1.0, np.random.default_rng(0)))
    (False, 4)
    """
    return "".join(
        ALIKE[letter][int(rng.integers(len(ALIKE[letter])))] if letter in ALIKE and rng.random() < share else letter
        for letter in text
    )


ATTACK = Attack(
    name="homoglyphs",
    kinds=("texts",),
    about="Letters replaced by Cyrillic and Greek ones that look the same.",
    unit="share of the letters",
    strengths=(0.05, 0.1, 0.25, 0.5),
    measure=by_change(disguise),
)
