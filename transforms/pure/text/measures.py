"""Measures of a text that need no model."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from transforms.pure.text.explicit_words import EXPLICIT

WINDOW = 50
_ENDING = re.compile(r"[aeiouyàáâãäåèéêëìíîïòóôõöùúûüœæ]+[^aeiouyàáâãäåèéêëìíîïòóôõöùúûüœæ]*e?$")
_SILENT = re.compile(r"(?<=[^aeiouy])e$")
_NEAR = 4


def repetition(tokens: Sequence[str]) -> float:
    """Share of runs of three words that were there before: 0 for prose, towards 1 for a chorus that goes on.

    NaN below three words.
    """
    if len(tokens) < 3:
        return float("nan")
    runs = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return 1 - len(set(runs)) / len(runs)


def vocabulary_richness(tokens: Sequence[str]) -> float:
    """Moving average of types over tokens in windows of ``WINDOW`` words (Covington and McFall 2010).

    It does not fall with length, as the plain ratio does. NaN without words.
    """
    found = [token for token in tokens if token[0].isalpha()]
    if not found:
        return float("nan")
    if len(found) <= WINDOW:
        return len(set(found)) / len(found)
    counts: dict[str, int] = {}
    total = 0
    for place, token in enumerate(found):
        counts[token] = counts.get(token, 0) + 1
        if place >= WINDOW:
            left = found[place - WINDOW]
            counts[left] -= 1
            if not counts[left]:
                del counts[left]
        if place >= WINDOW - 1:
            total += len(counts)
    return total / (len(found) - WINDOW + 1) / WINDOW


def rhyme_density(text: str) -> float:
    """Share of lines whose last word rhymes with that of one of the four lines before or after, by spelling.

    Two words rhyme if they are spelled alike from the last vowels on and are not the same word. Spelling is not sound:
    "love" and "move" count, "blue" and "through" do not. NaN below two lines.
    """
    ends = [found[-1] for line in text.split("\n") if (found := re.findall(r"[^\W\d_]+", line.lower()))]
    if len(ends) < 2:
        return float("nan")
    tails = [_tail(word) for word in ends]
    rhyming = 0
    for place, (word, tail) in enumerate(zip(ends, tails, strict=True)):
        near = range(max(0, place - _NEAR), min(len(ends), place + _NEAR + 1))
        rhyming += any(tails[other] == tail and ends[other] != word for other in near) and bool(tail)
    return rhyming / len(ends)


def _tail(word: str) -> str:
    """The word from its last sounded vowels on."""
    found = _ENDING.search(word)
    if found is None:
        return ""
    silent = _SILENT.search(word)
    if silent and found.start() >= silent.start():
        before = _ENDING.search(word[:-1])
        return f"{before[0]}e" if before else found[0]
    return found[0]


def explicitness(tokens: Sequence[str]) -> float:
    """Explicit words (English) a hundred words. NaN without words.

    A word counts with its endings ("-s", "-er", "-ing" …); within another ("Scunthorpe") it does not.
    """
    found = [token for token in tokens if token[0].isalpha()]
    if not found:
        return float("nan")
    return 100 * sum(_is_explicit(token) for token in found) / len(found)


_ENDINGS = ("", "s", "es", "ed", "er", "ers", "in", "ing", "y", "head", "heads")


def _is_explicit(token: str) -> bool:
    if token in EXPLICIT:
        return True
    return any(
        ending and token.endswith(ending) and (token[: -len(ending)] in EXPLICIT or _single(token, ending) in EXPLICIT)
        for ending in _ENDINGS
    )


def _single(token: str, ending: str) -> str:
    """The stem with its doubled last letter single, as in "shitting"."""
    stem = token[: -len(ending)]
    return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem


def subjectivity(tokens: Sequence[str], lexicon: Mapping[str, float]) -> float:
    """Mean subjectivity of the words that a lexicon knows: 0 for facts, 1 for opinions; 0 where it knows none.

    NaN without words.
    """
    if not any(token[0].isalpha() for token in tokens):
        return float("nan")
    known = [lexicon[token] for token in tokens if token in lexicon]
    return float(np.mean(known)) if known else 0.0
