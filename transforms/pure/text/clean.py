"""Cleaning of texts: encoding, HTML, control characters, disguised letters, white space; and marks for what changed."""

import codecs
import html
import re
import unicodedata
from dataclasses import dataclass

from transforms.pure.text.lookalikes import undisguise

LONGEST = 20_000
"""Most characters of a text; the rest is cut off, so that processing time is bounded."""
MOST_MARKS = 8
"""Most combining characters in a row; further ones are removed."""

BAD_BYTES = "invalid UTF-8"
LONE_SURROGATES = "lone surrogates"
CUT = "cut"
HTML = "HTML removed"
CONTROLS = "control characters removed"
DISGUISED = "disguised letters"
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
    """A cleaned text.

    Attributes:
        text: NFC, without tags and control characters, with single spaces and line breaks; at most ``LONGEST`` long.
        marks: changes by cleaning, and problems of the text.
    """

    text: str
    marks: tuple[str, ...]


def clean(text: str | bytes) -> Cleaned:
    """Clean a text. Never raises; takes time linear in the length of the text.

    >>> clean("<b>Great</b>&nbsp;song\\x07!")
    Cleaned(text='Great song!', marks=('HTML removed', 'control characters removed'))
    """
    marks: list[str] = []
    if isinstance(text, bytes):
        content, is_complete = text[: 4 * LONGEST + 1], len(text) <= 4 * LONGEST
        try:
            text = codecs.getincrementaldecoder("utf-8")().decode(content, final=is_complete)
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
        text = _CONTROL.sub(lambda match: "\n" if match[0] in "\x0b\x0c\r\x85" else "", text)
        marks.append(CONTROLS)
    plain = undisguise(text)
    if plain != text:
        marks.append(DISGUISED)
        text = plain
    text = unicodedata.normalize("NFC", _COMBINING.sub(r"\1", text))
    text = _BREAKS.sub("\n\n", _LINES.sub(" ", text)).strip()
    if not text:
        marks.append(EMPTY)
    elif not any(character.isalpha() for character in text):
        marks.append(NO_WORDS)
    return Cleaned(text, tuple(marks))


def _without_tags(text: str) -> str:
    pieces: list[str] = []
    position, hidden, comment = 0, "", False
    for tag in _TAG.finditer(text):
        if not hidden and not comment:
            pieces.append(text[position : tag.start()])
        position = tag.end()
        closing, name = tag[1], (tag[2] or "").lower()
        if tag[0] == "<!--":
            comment = True
        elif tag[0] == "-->":
            if not comment:
                pieces.append("-->")
            comment = False
        elif hidden:
            if closing and name == hidden:
                hidden = ""
        elif name in _HIDDEN and not closing:
            hidden = name
        elif not comment:
            pieces.append("\n" if name in ("br", "p", "div", "li") else " " if name in ("td", "th") else "")
    if not hidden and not comment:
        pieces.append(text[position:])
    return _ENTITY.sub(lambda match: html.unescape(match[0]), "".join(pieces))
