"""Masking of personal data in texts: e-mail and IP addresses, phone, card and account numbers, handles.

Patterns are verified by check digits where these exist (Luhn for cards, ISO 7064 for accounts). Names and postal
addresses are not detected.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_LONGEST_NUMBER = 24


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
    for kind, pattern, is_valid in _KINDS:

        def replacement(
            match: re.Match[str], kind: str = kind, is_valid: Callable[[str], bool] | None = is_valid
        ) -> str:
            if is_valid is not None and not is_valid(match[0]):
                return match[0]
            counts[kind] = counts.get(kind, 0) + 1
            return f"[{kind.upper()}]"

        text = pattern.sub(replacement, text)
    return Masked(text, counts)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def _is_card(text: str) -> bool:
    """Whether a text has 13 to 19 digits with a valid check digit (Luhn, ISO/IEC 7812)."""
    digits = [int(digit) for digit in _digits(text)]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit if position % 2 else digit * 2 for position, digit in enumerate(digits, start=len(digits) % 2)]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def _is_account(text: str) -> bool:
    """Whether a text is an IBAN with valid check digits (ISO 13616)."""
    plain = re.sub(r"[ -]", "", text).upper()
    if not 15 <= len(plain) <= 34:
        return False
    number = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    return int(number) % 97 == 1


def _is_address(text: str) -> bool:
    return all(int(part) <= 255 for part in text.split("."))


def _is_phone(text: str) -> bool:
    """Whether a text has seven to fifteen digits (E.164) in groups that are not those of dates, scores or amounts."""
    count = len(_digits(text))
    if not 7 <= count <= 15:
        return False
    if text.startswith(("+", "00", "(")):
        return True
    groups = re.findall(r"\d+", text)
    if len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]):  # thousands, millions
        return False
    return len(groups) >= 3 and all(2 <= len(group) <= 5 for group in groups) and not _is_date(groups)


def _is_date(groups: list[str]) -> bool:
    if len(groups) != 3 or sorted(map(len, groups)) != [2, 2, 4] or len(groups[1]) != 2:
        return False
    year = int(next(group for group in groups if len(group) == 4))
    return 1800 <= year <= 2200 and all(1 <= int(group) <= 31 for group in groups if len(group) == 2)


_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    ("url", re.compile(r"\bhttps?://[^\s/@]{1,100}@[^\s]{1,300}", re.IGNORECASE), None),  # with user information
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])"), None),
    ("iban", re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{1,4}){3,8}(?![A-Za-z0-9])"), _is_account),
    ("card", re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d])"), _is_card),
    ("ip", re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)"), _is_address),
    ("ip", re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])"), None),
    ("ssn", re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"), None),
    ("phone", re.compile(r"(?<![\w.,+])(?:\+|\()?\d(?:[ ()./-]{0,2}\d){6,16}(?![\w])"), _is_phone),
    ("handle", re.compile(r"(?<![\w@./])@[A-Za-z_][\w]{1,29}(?![\w@.])"), None),
)
"""Kind, pattern and optional check of personal data, in the order of their search."""
