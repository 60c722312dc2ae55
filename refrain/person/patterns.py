"""Which of many patterns are in contents, in one pass for all, however many people they are of."""

from collections.abc import Sequence

import polars as pl

_LARGE = 64 << 20
"""Bytes of a content from which its copies as texts would need too much memory."""


class Patterns:
    """Sequences of bytes that are looked for together (A. Aho and M. Corasick, Efficient String Matching, CACM 1975).

    Args:
        patterns: the sequences, each once, none empty.

    >>> Patterns([b"u1", b"u17"]).in_each([b"u17,u2", b"u2"])
    [[0, 1], []]
    """

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._patterns = list(patterns)
        self._texts = [pattern.decode("latin-1") for pattern in self._patterns]
        self._places = {text: place for place, text in enumerate(self._texts)}

    def in_each(self, contents: Sequence[bytes]) -> list[list[int]]:
        """The places of the patterns that each content holds, in ascending order."""
        small = [place for place, content in enumerate(contents) if len(content) < _LARGE]
        texts = pl.Series([bytes(contents[place]).decode("latin-1") for place in small], dtype=pl.String)
        matches = texts.str.extract_many(self._texts, overlapping=True).list.unique().to_list()
        at_once = dict(zip(small, matches, strict=True))
        return [
            sorted(self._places[text] for text in at_once[place]) if place in at_once else self._one_by_one(content)
            for place, content in enumerate(contents)
        ]

    def _one_by_one(self, content: bytes) -> list[int]:
        return [place for place, pattern in enumerate(self._patterns) if content.find(pattern) >= 0]
