"""Texts as people send them, made fit to be read; and what was wrong with them."""

import codecs
import html
import re
import unicodedata
from dataclasses import dataclass

LONGEST = 20_000
"""Characters that are read; the rest is cut off, so that no text takes unbounded time."""
MOST_MARKS = 8
"""Combining characters in a row; a longer run is a prank."""

BAD_BYTES = "invalid UTF-8"
LONE_SURROGATES = "lone surrogates"
CUT = "cut"
HTML = "HTML removed"
CONTROLS = "control characters removed"
EMPTY = "empty"
NO_WORDS = "no words"

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,30})(?:\s[^<>]{0,2000})?/?>|<!--|-->|<![A-Za-z][^<>]{0,200}>")
_HIDDEN = {"script", "style", "template", "noscript"}
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});")
_LINES = re.compile(r"[ \t\r\f\v\u00a0\u2000-\u200a\u202f\u3000]+")
_BREAKS = re.compile(r" ?\n ?(?:\n ?)+")
_MARKS = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_COMBINING = re.compile(f"({_MARKS}{{{MOST_MARKS}}}){_MARKS}+")


@dataclass(frozen=True)
class Cleaned:
    """A text to be read.

    Attributes:
        text: NFC, without tags and control characters, spaces one at a time, line breaks kept; ``LONGEST`` at most.
        marks: what was done to it, or is wrong with it.
    """

    text: str
    marks: tuple[str, ...]


def clean(text: str | bytes) -> Cleaned:
    """Make a text fit to be read. Never raises; linear in the length of the text.

    >>> clean("<b>Great</b>&nbsp;song\\x07!")
    Cleaned(text='Great song!', marks=('HTML removed', 'control characters removed'))
    """
    marks: list[str] = []
    if isinstance(text, bytes):
        content, whole = text[: 4 * LONGEST + 1], len(text) <= 4 * LONGEST
        try:
            text = codecs.getincrementaldecoder("utf-8")().decode(content, final=whole)
        except UnicodeDecodeError:
            text = content.decode(errors="replace")
            marks.append(BAD_BYTES)
    if len(text) > LONGEST:
        text = text[:LONGEST]
        marks.append(CUT)
    if _SURROGATE.search(text):
        text = _SURROGATE.sub("\ufffd", text)
        marks.append(LONE_SURROGATES)
    if "<" in text or "&" in text:
        plain = _without_tags(text)
        if plain != text:
            marks.append(HTML)
            text = plain
    if _CONTROL.search(text):
        text = _CONTROL.sub(lambda found: "\n" if found[0] in "\x0b\x0c\r\x85" else "", text)
        marks.append(CONTROLS)
    text = unicodedata.normalize("NFC", _COMBINING.sub(r"\1", text))
    text = _BREAKS.sub("\n\n", _LINES.sub(" ", text)).strip()
    if not text:
        marks.append(EMPTY)
    elif not any(character.isalpha() for character in text):
        marks.append(NO_WORDS)
    return Cleaned(text, tuple(marks))


def _without_tags(text: str) -> str:
    kept: list[str] = []
    place, hidden, comment = 0, "", False
    for tag in _TAG.finditer(text):
        if not hidden and not comment:
            kept.append(text[place : tag.start()])
        place = tag.end()
        closing, name = tag[1], (tag[2] or "").lower()
        if tag[0] == "<!--":
            comment = True
        elif tag[0] == "-->":
            if not comment:
                kept.append("-->")
            comment = False
        elif hidden:
            if closing and name == hidden:
                hidden = ""
        elif name in _HIDDEN and not closing:
            hidden = name
        elif not comment:
            kept.append("\n" if name in ("br", "p", "div", "li") else " " if name in ("td", "th") else "")
    if not hidden and not comment:
        kept.append(text[place:])
    return _ENTITY.sub(lambda found: html.unescape(found[0]), "".join(kept))
