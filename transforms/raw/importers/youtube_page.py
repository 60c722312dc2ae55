"""Google Takeout's history as a web page (``watch-history.html``): its entries one by one, in bounded memory.

The page is made of one template: a ``div`` for each entry, with the product, the body (what was watched, the channel,
the time) and a caption (the products, and whether it is an advertisement). It is cut into its entries first, so that a
damaged entry costs nothing but itself. Python's HTML parser would take minutes for a page that is made for it.
"""

import re
from collections.abc import Iterator
from html import unescape
from itertools import pairwise

import msgspec

from transforms.raw.files.members import Member
from transforms.raw.files.rows import Malformed
from transforms.raw.files.streams import BLOCK
from transforms.raw.files.text import Text, storable

LONGEST_ENTRY = 1 << 16
"""Characters of the longest entry; those of Takeout have about a thousand."""

_CLASS_OF_ENTRY = "outer-cell"
_MARK = r"<div\s[^<>]{0,200}\b" + _CLASS_OF_ENTRY + r"\b"
_ENTRY, _ENTRY_IN_BYTES = re.compile(_MARK), re.compile(_MARK.encode())
_TOKEN = re.compile(r"<(/?)(div|p|a|br)\b([^<>]{0,4000})>|<[^<>]{0,4000}>|([^<]+)|<", re.IGNORECASE)
_ATTRIBUTE = r"""\b{}\s*=\s*["']([^"'<>]*)["']"""
_CLASS, _HREF = (re.compile(_ATTRIBUTE.format(name), re.IGNORECASE) for name in ("class", "href"))
_END = re.compile(r"</html\s*>\s*$", re.IGNORECASE)
_LONGEST_DETAIL, _LONGEST_TAG = 60, 250


class PageEntry(msgspec.Struct, gc=False):
    """An entry of the page.

    Attributes:
        header: the product, such as YouTube Music.
        title: the text of the first link, or what stands in its place.
        url: the address of the first link; None if there is none.
        channel: the text of the link in the second line; None if there is none.
        time: the last line, as it is written.
        is_advert: whether Google Ads are named as where it is from.
    """

    header: str = ""
    title: str = ""
    url: str | None = None
    channel: str | None = None
    time: str = ""
    is_advert: bool = False


def is_page(member: Member) -> bool:
    """Whether a file is a page of entries of Google Takeout, by its first megabyte.

    >>> from pathlib import Path
    >>> from transforms.raw.files.members import single
    >>> is_page(single(Path("README.md")))
    False
    """
    with member.open() as handle:
        if not handle.peek(64)[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            return False
        return _ENTRY_IN_BYTES.search(handle.read(BLOCK)) is not None


def page_entries(text: Text) -> Iterator[tuple[PageEntry | Malformed, int]]:
    """Yields the entries of a page, each with the bytes of the member that are read.

    Raises:
        InputError: the member is cut short or damaged; after the entries before that point.
    """
    pending, is_inside = "", False
    with text.open() as (handle, position):
        while piece := handle.read(LONGEST_ENTRY):
            pending += piece
            starts = _starts(pending)
            if starts:
                bounds = starts if not is_inside else [0, *(start for start in starts if start)]
                for first, last in pairwise(bounds):
                    yield _entry(pending[first:last]), position()
                pending, is_inside = pending[bounds[-1] :], True
            if len(pending) > LONGEST_ENTRY:
                if is_inside:
                    yield Malformed("an entry that has no end", storable(pending)), position()
                pending, is_inside = pending[-250:], False  # which may hold the beginning of an entry
        if not _END.search(pending):
            yield Malformed("cut short: the page has no end", storable(pending)), position()
        elif is_inside:
            yield _entry(pending), position()


def _entry(html: str) -> PageEntry | Malformed:
    try:
        html.encode()
    except UnicodeEncodeError:
        return Malformed("bytes that are not UTF-8", storable(html))
    return parse_entry(html)


def _starts(html: str) -> list[int]:
    """Where the entries of a piece of a page begin."""
    starts: list[int] = []
    place = html.find(_CLASS_OF_ENTRY)
    while place >= 0:
        tag = html.rfind("<", max(place - _LONGEST_TAG, 0), place)
        if tag >= 0 and starts[-1:] != [tag] and _ENTRY.match(html, tag):
            starts.append(tag)
        place = html.find(_CLASS_OF_ENTRY, place + 1)
    return starts


def parse_entry(html: str) -> PageEntry:
    """The entry of a piece of a page.

    >>> body = 'Watched <a href="https://music.youtube.com/watch?v=1">A &amp; B</a><br>Jan 5, 2024, 2:45:23 PM UTC<br>'
    >>> parse_entry(f'<div class="typography--body-1">{body}</div>').title
    'A & B'
    """
    entry, region, line, link = PageEntry(), "", 0, False
    words: list[str] = []
    for token in _TOKEN.finditer(html):
        closing, tag, attributes, text = token.groups()
        if text is not None and region:
            words.append(text)
        if tag is None:
            continue
        tag = tag.lower()
        if tag == "a":
            if closing and link and region == "body":
                if line == 0 and not entry.title:
                    entry.title = _plain(words)
                elif line == 1:
                    entry.channel = _plain(words)
            elif not closing and region == "body" and line == 0 and entry.url is None:
                match = _HREF.search(attributes)
                entry.url = unescape(match[1]) if match else None
            link = not closing
            words = []
        else:
            if words:
                _end_line(entry, region, line, _plain(words))
                words = []
            line += 1
            if tag != "br":
                match = None if closing else _CLASS.search(attributes)
                region, line = _region(match[1]) if match else "", 0
    return entry


def _end_line(entry: PageEntry, region: str, line: int, words: str) -> None:
    if region == "header":
        entry.header = entry.header or words
    elif region == "caption":
        entry.is_advert |= "Google" in words and len(words) <= _LONGEST_DETAIL
    elif region == "body" and words:
        if line == 0 and not entry.title:
            entry.title = words
        entry.time = words


def _region(classes: str) -> str:
    """The part of an entry that an element with these classes begins."""
    if "typography--title" in classes:
        return "header"
    if "typography--body-1" in classes and "text-right" not in classes:
        return "body"
    return "caption" if "typography--caption" in classes else ""


def _plain(words: list[str]) -> str:
    return unescape("".join(words)).replace("\u00a0", " ").strip()
