"""Typing errors: a letter that lies beside the right one on the keyboard, two swapped, one left out, one doubled."""

import re

import numpy as np

from training.robustness.attack import Attack, by_change

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
WORD = re.compile(r"[A-Za-z]{3,}")


def beside(letter: str) -> str:
    """Returns the letters around a letter on a QWERTY keyboard, lower case; empty for other characters.

    >>> beside("q"), beside("g"), beside("!")
    ('wa', 'fhtyvb', '')
    """
    for number, row in enumerate(ROWS):
        place = row.find(letter.lower())
        if place >= 0:
            around = row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
            if number:
                around += ROWS[number - 1][place : place + 2]
            if number + 1 < len(ROWS):
                around += ROWS[number + 1][max(place - 1, 0) : place + 1]
            return around
    return ""


def mistype(word: str, rng: np.random.Generator) -> str:
    """Returns a word of three letters or more with one typing error that leaves its first letter alone."""
    place = int(rng.integers(1, len(word)))
    kind = int(rng.integers(4))
    if kind == 0 and (near := beside(word[place])):
        return word[:place] + near[int(rng.integers(len(near)))] + word[place + 1 :]
    if kind == 1 and place + 1 < len(word):
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind == 2:
        return word[:place] + word[place + 1 :]
    return word[:place] + word[place] + word[place:]


def mistype_words(text: str, share: float, rng: np.random.Generator) -> str:
    """Mistypes a share of the words of three letters or more.

    >>> mistype_words("a fine song", 0.0, np.random.default_rng(0))
    'a fine song'
    """
    return WORD.sub(lambda match: mistype(match[0], rng) if rng.random() < share else match[0], text)


ATTACK = Attack(
    name="typos",
    kinds=("texts",),
    about="One typing error in each of a share of the words.",
    unit="share of the words",
    strengths=(0.1, 0.2, 0.4, 0.8),
    measure=by_change(mistype_words),
)
