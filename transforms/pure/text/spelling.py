"""Parses a title and its performers into normalized title, names, versions and numbers."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from anyascii import anyascii

LONGEST = 300

VERSIONS: dict[str, str] = {
    "live": r"live|unplugged|in concert|mtv",
    "remix": r"remix(?:ed)?|mix|rmx|re-?edit|dub|bootleg|mashup|vip|extended|club|12 ?(?:inch|\")",
    "acoustic": r"acoustic|stripped|piano version",
    "instrumental": r"instrumental|karaoke|backing track",
    "cover": r"cover|tribute|made famous|originally performed|in the style of",
    "demo": r"demo|rehearsal|outtake|alternat(?:e|ive) (?:take|version)|take \d+",
    "rerecorded": r"re-?record(?:ed|ing)",
    "medley": r"medley",
    "sped": r"sped up|slowed|nightcore",
}
"""Kind of another recording of a song → pattern of the words that mark it."""
_REISSUE_WORDS = (
    r"re-?master(?:ed|ing|isé)?|\d{4} (?:digital )?(?:re-?master|version|edit)|mono|stereo|single|radio|album|lp|edit|"
    r"version|original|explicit|clean|bonus|deluxe|anniversary|expanded|soundtrack|from|theme|feat\.?|featuring|ft\.?|"
    r"with|main|digital|remaster \d{4}|\d{4}|7 ?(?:inch|\")"
)
"""Pattern of the words that mark a reissue of the same recording."""
_OTHER_VERSION = re.compile(
    r"(?<!album )(?<!single )(?<!radio )(?<!original )(?<!lp )(?<!mono )(?<!stereo )(?<!main )(?<!length )(?<!clean )"
    r"(?<!explicit )(?<!\d )(?<!soundtrack )\b(?:versi[oó]n|vers)(?!\w)"
)
"""A version by someone else, in another language or in another style."""
_VERSIONS = {kind: re.compile(rf"\b(?:{pattern})(?!\w)") for kind, pattern in VERSIONS.items()}
_REISSUE = re.compile(rf"\b(?:{_REISSUE_WORDS})(?!\w)")
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]{0,120})[)\]}]")
_OPEN, _CLOSE = "\x02", "\x03"
"""Placeholders for brackets whose content is part of the title."""
_IN_BRACKETS = re.compile(f"{_OPEN}[^{_CLOSE}]*{_CLOSE}")
_DASH = re.compile(r"\s+[-–—]\s+|\s*//\s*")
_GUESTS = re.compile(r"\b(?:featuring|feat\.?|ft\.?|with special guest|w/)\s+(.+)$")
_JOIN = re.compile(r"\s*(?:[,;/+&]|\b(?:and|x|with|featuring|presents|duet)\b|\b(?:vs|feat|ft)\b\.?)\s*")
_PARTS = re.compile(r"\b(?:part|pt|vol|volume|no|chapter)\b\.? ?(\d{1,3}|[ivx]{1,5})\b|#(\d{1,3})")
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}
_ARTICLES = ("the ", "a ", "an ")
_IS_PLAIN = re.compile(r"[a-z0-9]+(?: [a-z0-9]+)*").fullmatch
_INNER_MARKS = re.compile(r"(?<=\w)[.'`](?=\w)")
_OTHERS = re.compile(r"[^a-z0-9]+")
_NUMBER = re.compile(r"(?<![\w.])\d{1,4}(?!\w)")


@dataclass(frozen=True)
class Spelling:
    """A parsed title with its performers.

    Attributes:
        title: letters and digits of the title with single spaces, without versions, guests and brackets.
        full_title: the same with the content of brackets.
        performers: normalized names, including guests that the title names.
        versions: kinds of ``VERSIONS``, or ``other``; empty for the standard recording.
        numbers: numbers of parts and volumes, and other numbers in the title.
    """

    title: str
    full_title: str
    performers: tuple[str, ...]
    versions: frozenset[str]
    numbers: tuple[int, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Spellings with the same key are the same song by the same first performer."""
        return self.title.replace(" ", ""), (self.performers[0] if self.performers else "").replace(" ", "")


@lru_cache(200_000)
def spelled(title: str, performer: str) -> Spelling:
    """Parses a title and its performers. Never raises.

    >>> found = spelled("Beyoncé - Halo (feat. Someone) [Live] - Remastered 2011", "Beyoncé")
    >>> found.title, found.performers, sorted(found.versions)
    ('halo', ('beyonce', 'someone'), ['live'])
    """
    text = _plain(title)
    versions: set[str] = set()
    guests: list[str] = []

    def bracket(match: re.Match[str]) -> str:
        return "" if _parse_aside(match[1].strip(), versions, guests) else f" {_OPEN}{match[1]}{_CLOSE} "

    parts = _DASH.split(_BRACKETS.sub(bracket, text))
    while len(parts) > 1 and _parse_aside(parts[-1], versions, guests):
        parts.pop()
    names = [*_performer_names(performer)]
    if len(parts) > 1 and _letters(parts[0]) in names:  # "Beyoncé - Halo"
        parts.pop(0)
    name_text, title_guests = _without_guests(" ".join(parts))
    for guest in [*guests, *title_guests]:
        names += [name for name in _names(guest) if name not in names]
    full_title = _letters(name_text) or _letters(text)
    short = _letters(_IN_BRACKETS.sub(" ", name_text)) or full_title
    numbers = _numbers(name_text)
    return Spelling(_without_article(short), _without_article(full_title), tuple(names), frozenset(versions), numbers)


def _plain(text: str) -> str:
    """Transliterates any script to lower-case Latin letters."""
    if text.isascii():
        return text[:LONGEST].casefold().strip()
    text = unicodedata.normalize("NFKC", text[:LONGEST].encode(errors="replace").decode()).replace("’", "'")
    return anyascii(text).casefold().strip()


def _letters(text: str) -> str:
    if _IS_PLAIN(text):
        return text
    text = text.replace("&", " and ").replace("$", "s")
    text = _INNER_MARKS.sub("", text)
    return " ".join(_OTHERS.sub(" ", text).split()) or "".join(text.split())  # "!!!" is a band


def _without_article(text: str) -> str:
    if not text.startswith(_ARTICLES):
        return text
    article = text[: text.index(" ") + 1]
    return text[len(article) :] if len(text) > len(article) + 1 else text


def _without_guests(text: str) -> tuple[str, list[str]]:
    match = _GUESTS.search(text)
    return (text[: match.start()], [match[1]]) if match and text[: match.start()].strip() else (text, [])


def _parse_aside(inside: str, versions: set[str], guests: list[str]) -> bool:
    """Whether a text names versions or guests rather than the song; adds them to ``versions`` and ``guests``."""
    guest = _GUESTS.match(inside)
    if guest:
        guests.append(guest[1])
        return True
    kinds = {kind for kind, pattern in _VERSIONS.items() if pattern.search(inside)}
    if not kinds and _OTHER_VERSION.search(f" {inside}"):
        kinds = {"other"}
    if kinds:
        versions |= kinds - ({"remix"} if re.search(r"\b(?:original|radio|single|album) mix\b", inside) else set())
        return True
    return bool(_REISSUE.search(inside))


@lru_cache(65_536)
def _performer_names(performer: str) -> tuple[str, ...]:
    return tuple(_names(_plain(performer)))


def _names(performer: str) -> list[str]:
    names: list[str] = []
    for part in _JOIN.split(performer):
        name = _without_article(_letters(part))
        if name and name not in names:
            names.append(name)
    return names or [name for name in [_letters(performer)] if name]  # "X" is a performer, too


def _numbers(title: str) -> tuple[int, ...]:
    numbers = []
    for part in _PARTS.finditer(title):
        value = part[1] or part[2]
        numbers.append(int(value) if value.isdigit() else _ROMAN.get(value, 0))
    without_parts = _PARTS.sub(" ", title) if numbers else title
    numbers += [int(value) for value in _NUMBER.findall(without_parts)]
    return tuple(sorted(numbers))
