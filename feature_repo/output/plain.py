"""Characters that act rather than show: a terminal runs them, a page is turned around by them, a log line ends at them.

They are the control characters of ASCII and Latin-1 (with ESC, which begins commands of a terminal), line and paragraph
separators, halves of surrogate pairs, and the overrides, embeddings and isolates of bidirectional text (Boucher and
Anderson, Trojan Source, 2021). Marks that writing needs (ZWJ, LRM, RLM) stay.
"""

import re

ACTING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb"
"""All of them but tab, line feed and halves of surrogate pairs, for a class of characters."""

_ACTING = re.compile(f"[{ACTING}\ud800-\udfff]")

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""Returns a text with acting characters as they are written in JSON; tabs and line feeds stay.

    A JSON document stays the same document: it has such characters in texts only.

    >>> visible("red: \x1b[31m, turned: \u202e")
    'red: \\u001b[31m, turned: \\u202e'
    """
    return _ACTING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def one_line(text: str, most: int = 2_000) -> str:
    r"""Returns a text as one line of at most so many characters, with all acting characters visible.

    >>> one_line("a\nb\x00"), one_line("abcdef", 3)
    ('a\\nb\\u0000', 'abc…')
    """
    escaped = re.sub("[\n\r\t]", lambda match: _SHORT[match[0]], shorten(text, most))
    return visible(escaped)


def shorten(text: str, most: int) -> str:
    """Returns a text of at most so many characters, and an ellipsis if it was longer.

    >>> shorten("abc", 3), shorten("abcd", 3)
    ('abc', 'abc…')
    """
    return text if len(text) <= most else f"{text[:most]}…"


def inert(text: str) -> str:
    r"""Returns a text with acting characters replaced, for pages; tabs and line feeds stay.

    >>> inert("a\x00\u202eb")
    'a\ufffd\ufffdb'
    """
    return _ACTING.sub("\N{REPLACEMENT CHARACTER}", text)
