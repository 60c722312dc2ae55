"""The ways in which bytes can spell an id: as text, in codings of text, as digests."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-") | frozenset(range(0x80, 0x100))
"""Bytes that continue an id: beside one of these, a shorter id is a part of a longer one."""
_MARKS = frozenset(b".@")
"""Bytes that continue an id if a letter follows, as in addresses."""
_NUL = b"\0"
_SHORTEST = 5
"""Length from which an id is unlikely to be a part of something else by chance."""
_DIGESTS = ("md5", "sha1", "sha256", "sha512")
_SHORT_DIGEST = 16
"""Number of hexadecimal digits that file names and logs keep of a digest."""


@dataclass(frozen=True)
class Spelling:
    """One way to spell an id.

    Attributes:
        form: what it is, for a person: ``text``, ``hex``, ``base64``, ``sha256``, …
        content: the bytes.
        is_word: whether it must not lie within a longer word, as ``u1`` lies in ``u17``.
        width: bytes of a letter.
    """

    form: str
    content: bytes
    is_word: bool = False
    width: int = 1

    def count(self, data: bytes, *, is_delimited: bool) -> tuple[int, int]:
        """Count where bytes hold the spelling.

        Args:
            data: what is searched: bytes, or a memory map.
            is_delimited: whether values have NUL around them; then a value of its own is certain, and a word in a
                value possible. Else a word is certain, and a hit beside other letters possible, as files put values
                one after another.

        Returns:
            (hits that are surely this id, hits that may be a part of something else).
        """
        certain = possible = 0
        position = data.find(self.content)
        while position >= 0:
            end = position + len(self.content)
            is_value = data[position - 1 : position] == data[end : end + 1] == _NUL
            is_word = not self.is_word or not (self._goes_on(data, position, -1) or self._goes_on(data, end, 1))
            if is_value if is_delimited and self.is_word else is_word:
                certain += 1
            elif is_word or not is_delimited:
                possible += 1
            position = data.find(self.content, end)
        return certain, possible

    def _goes_on(self, data: bytes, place: int, step: int) -> bool:
        """Whether a word goes on before (-1) or after (1) a place; a point ends it unless a letter follows."""
        first = _letter(data, place if step > 0 else place - self.width, self.width)
        if first not in _MARKS:
            return first in _WORD
        second = _letter(data, place + self.width if step > 0 else place - 2 * self.width, self.width)
        return second in _WORD


def is_distinctive(id_: str) -> bool:
    """Whether an id can be told from other numbers and words wherever it stands.

    >>> is_distinctive("u000042"), is_distinctive("17"), is_distinctive("2026")
    (True, False, False)
    """
    return len(id_) >= _SHORTEST and not id_.isdigit()


def spellings(id_: str) -> list[Spelling]:
    """The spellings of an id that are searched for.

    >>> [each.form for each in spellings("u000042")][:4]
    ['text', 'UTF-16', 'UTF-32', 'hex']
    """
    return list({each.content: each for each in reversed(list(_spellings(id_)))}.values())[::-1]


def _spellings(id_: str) -> Iterator[Spelling]:
    raw = id_.encode()
    yield Spelling("text", raw, is_word=True)
    yield Spelling("UTF-16", id_.encode("utf-16-le"), is_word=True, width=2)
    yield Spelling("UTF-32", id_.encode("utf-32-le"), is_word=True, width=4)
    yield Spelling("hex", raw.hex().encode())
    yield Spelling("hex", raw.hex().upper().encode())
    for text in (json.dumps(id_)[1:-1], quote(id_, safe="")):
        if text != id_:
            yield Spelling("escaped", text.encode(), is_word=True)
    for before in range(3):  # the three ways in which bytes fall into groups of base64
        whole = base64.b64encode(bytes(before) + raw)
        body = whole.rstrip(b"=")[(0, 2, 3)[before] :]
        inner = body if (before + len(raw)) % 3 == 0 else body[:-1]
        if len(inner) >= _SHORTEST:
            yield Spelling("base64", inner)
            yield Spelling("base64", inner.translate(bytes.maketrans(b"+/", b"-_")))
    for name in _DIGESTS:
        yield from _of_digest(name, hashlib.new(name, raw).digest())
    for size in (8, 16, 32):
        yield from _of_digest("blake2b", hashlib.blake2b(raw, digest_size=size).digest())


def _of_digest(name: str, digest: bytes) -> Iterator[Spelling]:
    yield Spelling(name, digest[:8])
    yield Spelling(name, digest.hex()[:_SHORT_DIGEST].encode())
    yield Spelling(name, digest.hex()[:_SHORT_DIGEST].upper().encode())
    yield Spelling(name, base64.b64encode(digest)[:_SHORT_DIGEST].rstrip(b"="))


def _letter(data: bytes, place: int, width: int) -> int:
    """The letter at a place, in an encoding that puts the low byte first; -1 beyond the ends, and for others."""
    letter = data[place : place + width] if place >= 0 else b""
    return letter[0] if len(letter) == width and not any(letter[1:]) else -1
