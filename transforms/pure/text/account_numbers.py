"""Account and card numbers in texts, by their structure and their check digits."""

import re
from collections.abc import Iterator
from functools import cache

SEPARATOR = r"[ \u00a0\u2009\u202f.\u2010-\u2013-]"
"""What people write between groups of digits: spaces, hyphens and dashes, dots."""
Span = tuple[int, int]

_STRUCTURES = """
AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BI23n BR23n1a1c BY4c4n16c CH5n12c CR18n CY8n16c CZ20n
DE18n DJ23n DK14n DO4c20n EE16n EG25n ES20n FI14n FK2a12n FO14n FR10n11c2n GB4a14n GE2a16n GI4a15c GL14n GR7n16c GT24c
HN4a20n HR17n HU24n IE4a14n IL19n IQ4a15n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c LC4a24c LI5n12c LT16n
LU3n13c LV4a13c LY21n MC10n11c2n MD20c ME18n MK3n10c2n MN16n MR23n MT4a5n18c MU4a19n3a NI4a20n NL4a10n NO11n OM3n16c
PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n RU14n15c SA2n18c SC4a20n3a SD14n SE20n SI15n SK20n SM1a10n12c SO19n
ST21n SV4a20n TL19n TN20n TR6n16c UA6n19c VA18n VG4a16n XK16n YE4a4n18c
"""
STRUCTURES = tuple(_STRUCTURES.split())
"""Country and structure of each IBAN after its check digits (SWIFT's registry): n digits, a letters, c either."""
_START = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z]{{2}}{SEPARATOR}?\d{SEPARATOR}?\d")
_CLASSES = {"n": r"\d", "a": "[A-Z]", "c": "[A-Z0-9]"}

_CARD_RUN = re.compile(rf"(?<![0-9A-Za-z_+])(?<!\d[.,])\d(?:{SEPARATOR}?\d){{12,}}(?![0-9A-Za-z_])", re.ASCII)
_CARD_GROUPS = {(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), (4, 4, 4, 1)}
"""Lengths of the groups that cards are printed in."""
_USUAL_DIGITS = 16
"""Number of digits of most cards, which may be in any groups."""
_CARD_STARTS = {13: "4", 14: "3", 15: "123", 16: "234569", 17: "3456", 18: "3456", 19: "34569"}
"""Number of digits → the first digits of cards that have so many (ISO/IEC 7812, issuers' ranges)."""


def ibans(text: str) -> Iterator[Span]:
    """Yield where the IBANs of a text are: as long as their country's, in its structure, with valid check digits.

    >>> text = "to DE89 3704 0044 0532 0130 00 by 12 May"
    >>> [text[start:end] for start, end in ibans(text)]
    ['DE89 3704 0044 0532 0130 00']
    """
    for match in _START.finditer(text):
        pattern = _iban_patterns().get(match[0][:2].upper())
        number = pattern.match(text, match.start()) if pattern else None
        if number and _is_account(number[0]):
            yield number.span()


@cache
def _iban_patterns() -> dict[str, re.Pattern[str]]:
    """Country → pattern of its IBANs, with a separator or none between any two characters."""
    patterns = {}
    for entry in STRUCTURES:
        characters = [_CLASSES["n"]] * 2
        for count, kind in re.findall(r"(\d+)([nac])", entry[2:]):
            characters += [_CLASSES[kind]] * int(count)
        between = f"{SEPARATOR}?"
        body = between.join([entry[:2], *characters])
        patterns[entry[:2]] = re.compile(rf"{body}(?![A-Za-z0-9])", re.IGNORECASE | re.ASCII)
    return patterns


def _is_account(text: str) -> bool:
    """Whether the check digits of an IBAN are valid (ISO 13616)."""
    plain = "".join(character for character in text if character.isalnum()).upper()
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def cards(text: str) -> Iterator[Span]:
    """Yield where the card numbers of a text are: 13 to 19 digits with a valid check digit.

    A number is in groups as printed, or in one, and other digits may stand before and after it.

    >>> text = "card 4111 1111 1111 1111 12 27"
    >>> [text[start:end] for start, end in cards(text)]
    ['4111 1111 1111 1111']
    """
    for run in _CARD_RUN.finditer(text):
        groups = list(re.finditer(r"\d+", run[0]))
        has_point = "." in run[0]  # may be a decimal one
        if not has_point and sum(len(group[0]) for group in groups) == _USUAL_DIGITS and is_card(run[0]):
            yield run.span()
        else:
            yield from _cards_among(groups, run.start(), 0 if has_point else 1)


def _cards_among(groups: list[re.Match[str]], offset: int, plain: int) -> Iterator[Span]:
    """The cards that are some of the groups of a run; those of ``plain`` groups may have any length."""
    first = 0
    while first < len(groups):
        for last in range(min(first + 5, len(groups)), first, -1):
            part = groups[first:last]
            lengths = tuple(len(group[0]) for group in part)
            if (len(part) == plain or lengths in _CARD_GROUPS) and is_card("".join(group[0] for group in part)):
                yield offset + part[0].start(), offset + part[-1].end()
                first = last - 1
                break
        first += 1


def is_card(text: str) -> bool:
    """Whether a text has as many digits as a card with its first digit, and a valid check digit (Luhn, ISO/IEC 7812).

    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(character) for character in text if character.isdecimal()]
    if not digits or str(digits[0]) not in _CARD_STARTS.get(len(digits), ()) or len(set(digits)) == 1:
        return False
    doubled = [digit if position % 2 else digit * 2 for position, digit in enumerate(digits, start=len(digits) % 2)]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0
