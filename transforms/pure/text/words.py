"""Tokenization of texts, and the n-grams that models count."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # scripts without spaces: a character each
    r"|[:;=]['’]?-?(?:[()]|[dp](?![^\W_]))|<3(?!\d)"  # smileys, before the punctuation that they are made of
    r"|[^\W_]+(?:['’][^\W_]+)*(?:-[^\W_]+(?:['’][^\W_]+)*)*"
    r"|['’](?:s|re|ve|ll|d|m|em)(?![^\W_])"
    r"|[!?]+|\.{2,}|[.,;:\"()]"
    r"|[\u2600-\u27bf\U0001f300-\U0001faff]"
)
_LONGEST_WORD = 60
_NEGATED = re.compile(r"^(.*)(n['’]t)$")
_CLITIC = re.compile(r"^(.+)(['’](?:s|re|ve|ll|d|m))$")
NEGATIONS = frozenset(
    [
        "not",
        "n't",
        "no",
        "never",
        "neither",
        "nor",
        "without",
        "hardly",
        "barely",
        "lack",
        "lacks",
        "lacking",
        "nothing",
        "cannot",
    ]
)
REACH = 4
"""Number of words after a negation that are negated (Pang, Lee and Vaithyanathan 2002: all until punctuation)."""
_STOPS = frozenset('.,;:!?"()')
LONGEST_WORDS, SHORTEST_PART, LONGEST_PART = 3, 2, 6


def words(text: str) -> list[str]:
    """Split a text into words, emoji and punctuation in lower case; "don't" becomes two tokens as in the Penn Treebank.

    >>> words("I don't like Bono's album!!")
    ['i', 'do', "n't", 'like', 'bono', "'s", 'album', '!!']
    """
    tokens: list[str] = []
    for match in _TOKEN.findall(text.lower()):
        token = match[:_LONGEST_WORD].replace("’", "'")
        if "'" in token:
            split = _NEGATED.match(token) or _CLITIC.match(token)
            if split:
                tokens += [part for part in split.groups() if part]
                continue
        tokens.append(token[:3] if token[0] in "!?." else token)
    return tokens


def runs(tokens: list[str]) -> Iterator[str]:
    """Yield all sequences of one to three words."""
    yield from tokens
    for length in range(2, LONGEST_WORDS + 1):
        for start in range(len(tokens) - length + 1):
            yield " ".join(tokens[start : start + length])


def turned(tokens: list[str]) -> Iterator[str]:
    """Yield all sequences of one and two words, and each word within reach of a negation again with a mark.

    >>> list(turned(["not", "good"]))
    ['not', 'good', 'not good', '¬good']
    """
    yield from tokens
    for first, second in pairwise(tokens):
        yield f"{first} {second}"
    remaining = 0
    for token in tokens:
        if token in NEGATIONS:
            remaining = REACH
            continue
        if token[0] in _STOPS:
            remaining = 0
        elif remaining:
            yield f"¬{token}"
            remaining -= 1


def parts(tokens: list[str]) -> Iterator[str]:
    """Yield the character n-grams (two to six characters) of each word, including its borders."""
    for token in tokens:
        yield from _parts(token)


@lru_cache(50_000)
def _parts(token: str) -> tuple[str, ...]:
    padded = f" {token} "
    return tuple(
        padded[start : start + length]
        for length in range(SHORTEST_PART, LONGEST_PART + 1)
        for start in range(len(padded) - length + 1)
    )


ANALYZERS: dict[str, Callable[[list[str]], Iterator[str]]] = {"runs": runs, "turned": turned, "parts": parts}
"""Name of an analyzer in bundles → function from words to counted terms."""
