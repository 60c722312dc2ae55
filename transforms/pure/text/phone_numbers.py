"""Phone numbers in texts: international ones, and national ones by how they are grouped and by the words before them.

A run of digits in groups may hold a number and other digits, so that each sequence of its groups is tried, the longest
first. Dates, thousands, and numbers of catalogues, books and goods are none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transforms.pure.text.account_numbers import Span

_BETWEEN = r"[ \u00a0\u2009\u202f()./\u2010-\u2013-]{0,3}"
_RUN = re.compile(
    rf"(?<![0-9A-Za-z_@+])(?:\+ ?|(?<!\w[-/])(?<!\d[.,:]))\(?\+?\d(?:{_BETWEEN}\d){{6,}}"
    r"(?:(?= ?(?:x|ext)\.? ?\d)|(?![0-9A-Za-z_]))"
)
_EXTENSION = re.compile(r" ?(?:x|ext\.?|#) ?\d{1,6}(?!\w)", re.IGNORECASE)
_PREFIX = re.compile(r"[(+][(+ ]*$")
_LONGEST_PREFIX = 4
_GROUP = re.compile(r"\d+")
_DATE = re.compile(
    r"(?<!\d)(?:(?:1[89]|20|21)\d\d([-./])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])([-./])(?:0?[1-9]|[12]\d|3[01])\2(?:(?:1[89]|20|21)\d\d))(?!\d)"
)
_CUE = re.compile(
    r"(?:phone|tel|tlf|call|ring|dial|text|sms|whats ?app|mobile?|cell|fax|hotline|handy|telefone?|anruf\w*|rufnummer"
    r"|appel\w*|t[ée]l[ée]phone|portable|llam\w*|tel[ée]fono|m[óo]vil|lig\w*|celular|chiam\w*|cellulare|zadzwo\w*|bel|ring"
    r"|тел|телефон|звони\w*|电话|電話|手机|전화|هاتف|फ़?ोन)\W{0,3}(?:\w{1,6}\W{1,2}){0,2}$|[☎📞📱]\W{0,2}$",
    re.IGNORECASE,
)
_OTHER_CUE = re.compile(
    r"(?:cat(?:alog(?:ue)?)?|isbn|ean|upc|gtin|asin|isrc|iswc|bar ?code|orders?|id|ref|sku|serial|matrix|release|lp|cd)"
    r"(?:[ #:.]{0,3}(?:no|nr|number)?[ #:.]{0,3})$|(?:#|№)\s?$",
    re.IGNORECASE,
)
_CUE_REACH = 30
_MOST_GROUPS = 7
_CALLING_CODES = re.compile(
    r"1|7|2[07]|2[1-6]\d|29[0179]|3[0-469]|3[578]\d|4[013-9]|42[0134]|5[1-8]|5[09]\d|6[0-6]|6[789]\d|8[1246]|8[0578]\d"
    r"|9[0-58]|9[679]\d"
)
"""Countries' codes (ITU-T E.164), which begin a number after "+" or "00"."""


def phones(text: str) -> Iterator[Span]:
    """Yield where the phone numbers of a text are.

    >>> text = "on 2011-09-17 12:30 call +44 20 7946 0958"
    >>> [text[start:end] for start, end in phones(text)]
    ['+44 20 7946 0958']
    """
    for run in _RUN.finditer(text):
        dates = [date.span() for date in _DATE.finditer(run[0])]
        stretches = _stretches(run[0], dates)
        before = text[max(run.start() - _CUE_REACH, 0) : run.start()]
        for groups in stretches:
            for start, end in _among(groups, run[0], before):
                extension = _EXTENSION.match(text, run.start() + end)
                yield run.start() + start, extension.end() if extension else run.start() + end


def _stretches(run: str, dates: Sequence[Span]) -> Iterator[list[re.Match[str]]]:
    """Yield the groups of digits before, between and after dates."""
    start = 0
    for date_start, date_end in [*dates, (len(run), len(run))]:
        yield list(_GROUP.finditer(run, start, date_start))
        start = date_end


def _among(groups: list[re.Match[str]], run: str, before: str) -> Iterator[Span]:
    """Yield the numbers among groups: one begins where they begin, where one ends, or with "+" or "("."""
    has_cue, has_other_cue = _CUE.search(before) is not None, _OTHER_CUE.search(before) is not None
    first, is_begin = 0, True
    while first < len(groups):
        start = _begin(run, groups[first])
        prefix = run[start : groups[first].start()]
        end = first
        for last in range(min(first + _MOST_GROUPS, len(groups)), first, -1) if prefix or is_begin else ():
            part = groups[first:last]
            between = [run[one.end() : other.start()] for one, other in pairwise(part)]
            candidate = Candidate([group[0] for group in part], between, prefix, last == len(groups))
            if candidate.is_phone(has_cue, has_other_cue):
                yield start, part[-1].end()
                end = last
                break
        is_begin = end > first
        first = max(end, first + 1)


def _begin(run: str, group: re.Match[str]) -> int:
    """Where a number begins whose first digits these are: with "+", and with "(" if it is closed after them."""
    before = run[max(group.start() - _LONGEST_PREFIX, 0) : group.start()]
    prefix = _PREFIX.search(before)
    start = group.start() - (len(before) - prefix.start() if prefix else 0)
    is_open = "(" in run[start : group.start()] and not run.startswith(")", group.end())
    if not is_open:
        return start
    plus = run.find("+", start, group.start())
    return plus if plus >= 0 else group.start()


@dataclass(frozen=True)
class Candidate:
    """What may be a phone number.

    Attributes:
        groups: groups of digits.
        between: what is between each two of them.
        prefix: "+" or "(" before the first, or nothing.
        is_whole: whether no other group follows.
    """

    groups: Sequence[str]
    between: Sequence[str]
    prefix: str
    is_whole: bool

    def is_phone(self, has_cue: bool, has_other_cue: bool) -> bool:
        """Whether it is one.

        Args:
            has_cue: whether a word before it says that it is a phone number.
            has_other_cue: whether a word before it says that it is some other number.
        """
        groups, digits = self.groups, "".join(self.groups)
        if "+" in self.prefix:
            return _is_international(digits)
        if has_other_cue or _is_amount(groups) or _is_good(digits, groups):
            return False
        if groups[0].startswith("00"):
            return len(digits) >= 11 and _is_international(digits[2:])
        if self.prefix and ")" in "".join(self.between[:1]):
            return 7 <= len(digits) <= 12
        if _is_north_american(groups):
            return True
        return self.is_whole and (7 <= len(digits) <= 13 if has_cue else self._is_national(digits))

    def _is_national(self, digits: str) -> bool:
        if len(self.groups) == 1:
            return len(digits) in (10, 11) and digits[0] == "0"
        if any("/" in gap for gap in self.between[1:]):
            return False
        if digits[0] == "0":
            return 8 <= len(digits) <= 12 and 2 <= len(self.groups[0]) <= 5
        return _is_grouped(self.groups, self.between)


def _is_international(digits: str) -> bool:
    return 8 <= len(digits) <= 15 and _CALLING_CODES.match(digits) is not None


def _is_amount(groups: Sequence[str]) -> bool:
    """Thousands and millions in groups of three."""
    is_grouped = len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
    return is_grouped and len(groups) > 1 and groups[0][0] != "0"


def _is_good(digits: str, groups: Sequence[str]) -> bool:
    """A number of a book or of goods: ISBN-10 in one group, EAN, UPC."""
    if len(digits) == 10 and len(groups) == 1:
        return sum((10 - place) * int(digit) for place, digit in enumerate(digits)) % 11 == 0
    if len(digits) in (12, 13, 14) and (len(groups) == 1 or len(groups[0]) == 1):
        return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits[::-1])) % 10 == 0
    return False


def _is_north_american(groups: Sequence[str]) -> bool:
    national = groups[1:] if groups[0] == "1" else groups
    return [len(group) for group in national] == [3, 3, 4] and all(group[0] not in "01" for group in national[:2])


def _is_grouped(groups: Sequence[str], between: Sequence[str]) -> bool:
    """Three groups or more of two to four digits with the same space or dot between them, 8 to 11 in all."""
    count = sum(map(len, groups))
    is_even = len(groups) >= 3 and all(2 <= len(group) <= 4 for group in groups) and len(set(between)) == 1
    return is_even and between[0] not in ("-", "/") and 8 <= count <= 11
