"""What tells who somebody is, masked: addresses, numbers of telephones, cards and accounts, handles.

Patterns with check digits where there are any (Luhn for cards, ISO 7064 for accounts). Names and postal addresses
are not found.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_LONGEST_NUMBER = 24


@dataclass(frozen=True)
class Masked:
    """A text without them.

    Attributes:
        text: with ``[EMAIL]``, ``[PHONE]`` … in their places.
        counts: kind → how many there were.
    """

    text: str
    counts: dict[str, int]


def mask(text: str) -> Masked:
    """Mask a text; masking it again changes nothing.

    >>> mask("mail ann@example.org or call +44 20 7946 0958")
    Masked(text='mail [EMAIL] or call [PHONE]', counts={'email': 1, 'phone': 1})
    """
    counts: dict[str, int] = {}
    for kind, pattern, holds in _KINDS:

        def put(found: re.Match[str], kind: str = kind, holds: Callable[[str], bool] | None = holds) -> str:
            if holds is not None and not holds(found[0]):
                return found[0]
            counts[kind] = counts.get(kind, 0) + 1
            return f"[{kind.upper()}]"

        text = pattern.sub(put, text)
    return Masked(text, counts)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def _is_card(text: str) -> bool:
    """13 to 19 digits whose check digit fits (Luhn, ISO/IEC 7812)."""
    digits = [int(digit) for digit in _digits(text)]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit if place % 2 else digit * 2 for place, digit in enumerate(digits, start=len(digits) % 2)]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def _is_account(text: str) -> bool:
    """An IBAN whose check digits fit (ISO 13616)."""
    plain = re.sub(r"[ -]", "", text).upper()
    if not 15 <= len(plain) <= 34:
        return False
    number = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    return int(number) % 97 == 1


def _is_address(text: str) -> bool:
    return all(int(part) <= 255 for part in text.split("."))


def _is_phone(text: str) -> bool:
    """Seven to fifteen digits (E.164), told apart from years, scores and dates by how they are grouped."""
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
    ("url", re.compile(r"\bhttps?://[^\s/@]{1,100}@[^\s]{1,300}", re.IGNORECASE), None),  # with a name in it
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])"), None),
    ("iban", re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{1,4}){3,8}(?![A-Za-z0-9])"), _is_account),
    ("card", re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d])"), _is_card),
    ("ip", re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)"), _is_address),
    ("ip", re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])"), None),
    ("ssn", re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"), None),
    ("phone", re.compile(r"(?<![\w.,+])(?:\+|\()?\d(?:[ ()./-]{0,2}\d){6,16}(?![\w])"), _is_phone),
    ("handle", re.compile(r"(?<![\w@./])@[A-Za-z_][\w]{1,29}(?![\w@.])"), None),
)
"""Kind, what it looks like, and what must hold besides; in the order in which they are looked for."""
