"""The template of a log line: the line without what varies in it.

Drain: lines are sorted by their number of words and their first words, then joined to the most similar group (P. He,
J. Zhu, Z. Zheng, M. R. Lyu, Drain: an online log parsing approach with fixed depth tree, ICWS 2017).
"""

import re

HOLE = "<*>"
SIMILAR = 0.5
"""Share of words that must be the same for a line to join a group."""
DEPTH = 2
"""First words that must be the same."""
MOST = 2_000
"""Groups of one length; beyond, what is new goes into the most similar one. Memory stays bounded."""
LONGEST = 200
"""Words of a line that are looked at."""

_MASKS = (
    re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?![\w.])"),
    re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:])"),
    re.compile(r"(?<![\w])0x[0-9a-fA-F]+(?![\w])"),
    re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w.])"),
)


class Templates:
    """Groups of like lines, found one line at a time.

    >>> found = Templates()
    >>> for user in ("ann", "bob", "cy"):
    ...     template = found.learn(f"session opened for user {user} by (uid=0)")
    >>> template
    'session opened for user <*> by (uid=0)'
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[int, tuple[str, ...]], list[list[str]]] = {}

    def learn(self, message: str) -> str:
        """The template of a line; its group takes what varies in it as varying."""
        words = split(message)
        groups = self._groups.setdefault(_branch(words), [])
        best = _most_alike(groups, words)
        if best is None and len(groups) < MOST:
            groups.append(words)
            return " ".join(words)
        group = groups[best or 0]
        group[:] = [old if old == new else HOLE for old, new in zip(group, words, strict=True)]
        return " ".join(group)

    def match(self, message: str) -> str:
        """The template that a line has by now, of lines that were learned; its own words if none is alike."""
        words = split(message)
        groups = self._groups.get(_branch(words), [])
        best = _most_alike(groups, words)
        return " ".join(words if best is None else groups[best])


def split(message: str) -> list[str]:
    """Words of a line, numbers and addresses already masked."""
    for mask in _MASKS:
        message = mask.sub(HOLE, message)
    return message.split()[:LONGEST]


def _branch(words: list[str]) -> tuple[int, tuple[str, ...]]:
    first = (HOLE if any(letter.isdigit() for letter in word) else word for word in words[:DEPTH])
    return len(words), tuple(first)


def _most_alike(groups: list[list[str]], words: list[str]) -> int | None:
    best, most = None, -1.0
    for number, group in enumerate(groups):
        same = sum(old == new and old != HOLE for old, new in zip(group, words, strict=True))
        holes = sum(old == HOLE for old in group)
        alike = (same + 1e-6 * holes) / max(len(words) - sum(word == HOLE for word in words), 1)
        if alike >= SIMILAR and alike > most:
            best, most = number, alike
    if best is None:
        # a line of nothing but what varies has no word to be alike in
        return next((number for number, group in enumerate(groups) if group == words), None)
    return best
