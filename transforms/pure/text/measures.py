"""Measures of a text that need no model."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from transforms.pure.text.explicit_words import EXPLICIT, NAMES
from transforms.pure.text.words import words

WINDOW = 50
_ENDING = re.compile(r"[aeiouyàáâãäåèéêëìíîïòóôõöùúûüœæ]+[^aeiouyàáâãäåèéêëìíîïòóôõöùúûüœæ]*e?$")
_SILENT = re.compile(r"(?<=[^aeiouy])e$")
_NEAR = 4


def repetition(tokens: Sequence[str]) -> float:
    """Share of three-word sequences that occurred before: near 0 for prose, near 1 for a repeated chorus.

    NaN below three words.
    """
    if len(tokens) < 3:
        return float("nan")
    trigrams = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return 1 - len(set(trigrams)) / len(trigrams)


def vocabulary_richness(tokens: Sequence[str]) -> float:
    """Moving average of types over tokens in windows of ``WINDOW`` words (Covington and McFall 2010).

    Unlike the plain ratio, it does not fall with the length of the text. NaN without words.
    """
    word_tokens = [token for token in tokens if token[0].isalpha()]
    if not word_tokens:
        return float("nan")
    if len(word_tokens) <= WINDOW:
        return len(set(word_tokens)) / len(word_tokens)
    counts: dict[str, int] = {}
    total = 0
    for index, token in enumerate(word_tokens):
        counts[token] = counts.get(token, 0) + 1
        if index >= WINDOW:
            leaving = word_tokens[index - WINDOW]
            counts[leaving] -= 1
            if not counts[leaving]:
                del counts[leaving]
        if index >= WINDOW - 1:
            total += len(counts)
    return total / (len(word_tokens) - WINDOW + 1) / WINDOW


def rhyme_density(text: str) -> float:
    """Share of lines whose last word rhymes with that of one of the four lines before or after, by spelling.

    Two words rhyme if they are spelled alike from the last vowels on and are not the same word. Spelling is not sound:
    "love" and "move" count, "blue" and "through" do not. NaN below two lines.
    """
    ends = [line_words[-1] for line in text.split("\n") if (line_words := re.findall(r"[^\W\d_]+", line.lower()))]
    if len(ends) < 2:
        return float("nan")
    tails = [_tail(word) for word in ends]
    rhyming = 0
    for index, (word, tail) in enumerate(zip(ends, tails, strict=True)):
        nearby = range(max(0, index - _NEAR), min(len(ends), index + _NEAR + 1))
        rhyming += any(tails[other] == tail and ends[other] != word for other in nearby) and bool(tail)
    return rhyming / len(ends)


def _tail(word: str) -> str:
    """The part of a word from its last sounded vowels on; empty if it has none."""
    match = _ENDING.search(word)
    if match is None:
        return ""
    silent = _SILENT.search(word)
    if silent and match.start() >= silent.start():
        inner = _ENDING.search(word[:-1])
        return f"{inner[0]}e" if inner else match[0]
    return match[0]


def explicitness(text: str, tokens: Sequence[str]) -> float:
    """Explicit words (English) per hundred words. NaN without words.

    Inflected forms count ("-s", "-er", "-ing" …), and those with hidden letters ("f*ck", "sh#t"). An explicit word
    within another ("Scunthorpe") does not count, nor one that is written as the name that it also is ("Joe Cocker").

    Args:
        text: a text.
        tokens: its ``words``.

    >>> explicitness("Joe Cocker, f*ck!", ["joe", "cocker", ",", "f", "ck", "!"])
    33.333333333333336
    """
    plain = _HIDDEN.sub(_revealed, _NAMES.sub("name", text))
    word_tokens = [token for token in (tokens if plain == text else words(plain)) if token[0].isalpha()]
    if not word_tokens:
        return float("nan")
    return 100 * sum(_is_explicit(token) for token in word_tokens) / len(word_tokens)


_ENDINGS = ("", "s", "es", "ed", "er", "ers", "in", "ing", "y", "head", "heads")
_NAMES = re.compile(rf"(?<![\w-])(?:{'|'.join(name.title() for name in sorted(NAMES))})(?![\w-])")
_HIDDEN = re.compile(r"(?<![\w*#@$])[^\W\d_]+[*#@$]+(?:[^\W\d_]+[*#@$]*)*(?![\w@])")
_SIGN = re.compile(r"[*#@$]")


def _revealed(match: re.Match[str]) -> str:
    """The explicit word that has a letter for each sign; the match itself if there is none."""
    hidden = match[0].lower()
    is_enough = sum(map(str.isalpha, hidden)) >= 2 or "***" in hidden or "$$" in hidden
    for ending in _ENDINGS if is_enough else ():
        if hidden.endswith(ending):
            stem = re.compile(_SIGN.sub(".", hidden.removesuffix(ending)))
            explicit = next((word for word in sorted(EXPLICIT) if stem.fullmatch(word)), None)
            if explicit:
                return explicit + ending
    return match[0]


def _is_explicit(token: str) -> bool:
    if token in EXPLICIT:
        return True
    return any(
        ending and token.endswith(ending) and (token[: -len(ending)] in EXPLICIT or _single(token, ending) in EXPLICIT)
        for ending in _ENDINGS
    )


def _single(token: str, ending: str) -> str:
    """The stem without the doubling of its last letter, as in "shitting"."""
    stem = token[: -len(ending)]
    return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem


def subjectivity(tokens: Sequence[str], lexicon: Mapping[str, float]) -> float:
    """Mean subjectivity of the words in a lexicon: 0 for facts, 1 for opinions; 0 if no word is in it.

    NaN without words.
    """
    if not any(token[0].isalpha() for token in tokens):
        return float("nan")
    values = [lexicon[token] for token in tokens if token in lexicon]
    return float(np.mean(values)) if values else 0.0
