"""Masking of personal data in texts: e-mail, web and IP addresses, phone, card and account numbers, handles.

What has a structure is held to it: check digits of cards (Luhn) and accounts (ISO 7064), countries' lengths of accounts
and codes of phones. Names and postal addresses are not detected.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from transforms.pure.text.account_numbers import Span, cards, ibans
from transforms.pure.text.phone_numbers import phones


@dataclass(frozen=True)
class Masked:
    """A text without personal data.

    Attributes:
        text: text with placeholders such as ``[EMAIL]`` and ``[PHONE]``.
        counts: kind of personal data → number of masked places.
    """

    text: str
    counts: dict[str, int]


def mask(text: str) -> Masked:
    """Mask the personal data in a text; masking a masked text has no effect.

    >>> mask("mail ann@example.org or call +44 20 7946 0958")
    Masked(text='mail [EMAIL] or call [PHONE]', counts={'email': 1, 'phone': 1})
    """
    counts: dict[str, int] = {}
    is_changed = True
    while is_changed:  # what is left beside a placeholder may be personal data, too
        has_digit = _DIGIT.search(text) is not None
        before = text
        for kind, sign, spans in _KINDS:
            if (has_digit if sign is None else sign in text) and (places := list(spans(text))):
                counts[kind] = counts.get(kind, 0) + len(places)
                text = _replaced(text, places, f"[{kind.upper()}]")
        is_changed = text != before
    return Masked(text, counts)


def _replaced(text: str, places: Iterable[Span], placeholder: str) -> str:
    pieces, end_before = [], 0
    for start, end in places:
        pieces += [text[end_before:start], placeholder]
        end_before = end
    return "".join([*pieces, text[end_before:]])


def _matches(pattern: str, is_valid: Callable[[str], bool] | None = None) -> Callable[[str], Iterator[Span]]:
    compiled = re.compile(pattern)

    def spans(text: str) -> Iterator[Span]:
        for match in compiled.finditer(text):
            if is_valid is None or is_valid(match[0]):
                yield match.span()

    return spans


def _is_address(text: str) -> bool:
    return all(int(part) <= 255 for part in text.split("."))


_DIGIT = re.compile(r"\d")
_END_OF_URL = r"[^\s<>\"'`\[\]]{0,300}[^\s<>\"'`\[\].,;:!?)]"
_KINDS: tuple[tuple[str, str | None, Callable[[str], Iterator[Span]]], ...] = (
    ("url", "://", _matches(rf"(?i:\b(?:https?|ftp)://){_END_OF_URL}")),
    ("url", ".", _matches(rf"(?i:(?<![\w@./])www\.)(?=[\w-]+\.){_END_OF_URL}")),
    ("email", "@", _matches(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])")),
    ("iban", None, ibans),
    ("card", None, cards),
    ("ip", ".", _matches(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)", _is_address)),
    ("ip", ":", _matches(r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])")),
    ("ssn", "-", _matches(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")),
    ("phone", None, phones),
    ("handle", "@", _matches(r"(?<![\w@./])@[A-Za-z_][\w]{1,29}(?![\w@]|\.\w)")),
)
"""Kind, what a text must have (None for digits), and where it is, in the order of their search."""
