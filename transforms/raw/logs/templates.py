"""Templates of log lines: the constant words of a line, with its variable parts masked.

Drain: lines are sorted by their number of words and their first words, then joined to the most similar group (P. He,
J. Zhu, Z. Zheng, M. R. Lyu, Drain: an online log parsing approach with fixed depth tree, ICWS 2017).
"""

import re
from collections.abc import Iterable

HOLE = "<*>"
SIMILAR = 0.5
"""Smallest share of equal words for a line to join a group."""
DEPTH = 2
"""Number of first words that must be equal within a group."""
MOST = 2_000
"""Most groups of lines of one length; further lines join the first group, so that memory stays bounded."""
LONGEST = 200
"""Most words of a line that are compared."""

_MASKS = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?![\w.])"
    r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:])"
    r"|(?<![\w])0x[0-9a-fA-F]+(?![\w])"
    r"|(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w.])"
)
_DIGIT = re.compile(r"\d")


class Templates:
    """Groups of similar lines.

    >>> templates = Templates()
    >>> templates.learn(["session opened for user ann by (uid=0)", "session opened for user bob by (uid=7)"])
    ['session opened for user <*> by (uid=<*>)', 'session opened for user <*> by (uid=<*>)']
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[int, tuple[str, ...]], list[list[str]]] = {}

    def learn(self, messages: Iterable[str]) -> list[str]:
        """Add lines to their groups; returns the template of each line, as it is after the last one.

        Words that differ within a group become variable. Lines that differ in numbers alone are compared once.
        """
        groups: dict[str, list[str]] = {}
        joined = []
        for message in messages:
            masked = _MASKS.sub(HOLE, message)
            group = groups.get(masked)
            if group is None:
                group = groups[masked] = self._join(masked.split()[:LONGEST])
            joined.append(group)
        return [" ".join(group) for group in joined]

    def _join(self, words: list[str]) -> list[str]:
        """Adds a line to its group; returns the group."""
        groups = self._groups.setdefault(_branch(words), [])
        best = _most_similar(groups, words)
        if best is None and len(groups) < MOST:
            groups.append(words)
            return words
        group = groups[best or 0]
        group[:] = [old if old == new else HOLE for old, new in zip(group, words, strict=True)]
        return group


def _branch(words: list[str]) -> tuple[int, tuple[str, ...]]:
    first = (HOLE if _DIGIT.search(word) else word for word in words[:DEPTH])
    return len(words), tuple(first)


def _most_similar(groups: list[list[str]], words: list[str]) -> int | None:
    best, best_similarity = None, -1.0
    for number, group in enumerate(groups):
        same = sum(old == new and old != HOLE for old, new in zip(group, words, strict=True))
        holes = sum(old == HOLE for old in group)
        similarity = (same + 1e-6 * holes) / max(len(words) - sum(word == HOLE for word in words), 1)
        if similarity >= SIMILAR and similarity > best_similarity:
            best, best_similarity = number, similarity
    if best is None:
        # a line of variable parts alone has no constant word to compare
        return next((number for number, group in enumerate(groups) if group == words), None)
    return best
