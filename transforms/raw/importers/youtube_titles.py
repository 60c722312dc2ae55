"""Titles of a YouTube history without the words around them: "Watched …", "… angesehen", in the account's language."""

import re
from collections.abc import Sequence
from itertools import takewhile

SHARE, LEAST_TITLES = 0.9, 8
"""What most titles of a history begin or end with is not of the titles; of few, it may be."""

WORDS: dict[str, tuple[str, str]] = {
    "en": ("Watched ", ""),
    "en, heard": ("Listened to ", ""),
    "de": ("", " angesehen"),
    "fr": ("Vous avez regardé ", ""),
    "es": ("Has visto ", ""),
    "es, Latin America": ("Viste ", ""),
    "it": ("Hai guardato ", ""),
    "pt": ("Viu ", ""),
    "pt, Brazil": ("Assistiu a ", ""),
    "nl": ("", " bekeken"),
    "sv": ("Tittade på ", ""),
    "sv, have": ("Du har tittat på ", ""),
    "da": ("Så ", ""),
    "no": ("Du så på ", ""),
    "pl": ("Obejrzano: ", ""),
    "cs": ("Zhlédnuto: ", ""),
    "ru": ("Вы посмотрели видео ", ""),
    "ru, seen": ("Просмотрено видео ", ""),
    "uk": ("Переглянуто відео ", ""),
    "tr": ("", " adlı videoyu izlediniz"),
    "ja": ("", " を視聴しました"),
    "ko": ("", " 을(를) 시청했습니다."),
    "zh": ("观看了 ", ""),
    "zh, traditional": ("已觀看 ", ""),
}
"""Words before and after a title; other languages are recognized by the titles of a history."""

_EDGE = re.compile(r"[\s:«»„“”\"「」『』]")
_QUOTES = ("„“", "“”", "«»", '""', "「」", "『』")


def plain_titles(titles: Sequence[str]) -> list[str]:
    """The titles without the words that most of them share.

    >>> plain_titles(["Watched Halo", "Watched Watched You Go"])
    ['Halo', 'Watched You Go']
    """
    before, after = _words_around(sorted(set(titles)))
    return [_between(title, before, after) for title in titles]


def _words_around(titles: Sequence[str]) -> tuple[str, str]:
    counts = {words: sum(_has(title, *words) for title in titles) for words in WORDS.values()}
    words = max(counts, key=lambda words: counts[words])
    if counts[words] and counts[words] >= SHARE * len(titles):
        return words
    if len(titles) < LEAST_TITLES:
        return "", ""
    return _shared(titles), _shared([title[::-1] for title in titles])[::-1]


def _shared(texts: Sequence[str]) -> str:
    """The longest beginning of most of the texts that ends where a word may end."""
    ordered = sorted(texts)
    width = int(SHARE * len(ordered))  # texts that share a beginning stand one after another
    pairs = zip(ordered, ordered[width - 1 :], strict=False)
    longest = max((_common_beginning(*pair) for pair in pairs), key=len, default="")
    edges = [match.end() for match in _EDGE.finditer(longest)]
    return longest[: edges[-1]] if edges else longest if len(longest) > 2 and not longest.isascii() else ""


def _common_beginning(one: str, other: str) -> str:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(letter for letter, _ in pairs)


def _has(title: str, before: str, after: str) -> bool:
    return title.startswith(before) and title.endswith(after) and len(title) > len(before) + len(after)


def _between(title: str, before: str, after: str) -> str:
    if not _has(title, before, after):
        return title
    plain = title[len(before) : len(title) - len(after)].strip()
    is_quoted = len(plain) > 2 and plain[0] + plain[-1] in _QUOTES and (before or after)
    return plain[1:-1].strip() if is_quoted and plain[0] != '"' else plain
