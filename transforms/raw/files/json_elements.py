"""Elements of JSON that is damaged or cut short, found one after another."""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from transforms.raw.files.rows import Malformed
from transforms.raw.files.text import SHOWN, storable

Element: TypeAlias = Any
"""An element as JSON in bytes or as ``msgspec.Raw``, or ``Malformed``."""

MOST_DAMAGED = 1_000
"""After as many damaged elements, the rest is given up, so that a file that is made for it costs no hours."""

_BETWEEN = re.compile(r"[\s,]*")
_FIRST_KEY = re.compile(r'\{\s*"[^"]{0,200}"')
_LINE = re.compile(r"\n\s*(?=\{)")


def damaged_elements(text: str, place: str, is_array: bool) -> Iterator[Element]:
    """Yields the elements that can be read, and a ``Malformed`` for each damaged stretch.

    After a damaged element, the next one is where an object begins with the same key as the first good one. Several
    lists one after another, as of files that were joined, are read as one.

    Args:
        text: all of the JSON.
        place: where in an object the list of elements is; empty if they are the file's own.
        is_array: whether the elements are in an array, and not one after another.
    """
    key = re.escape(place.rsplit(".", maxsplit=1)[-1])
    begin = re.compile(rf'"{key}"\s*:\s*\[' if place else r"\[")
    opening = begin.search(text) if is_array or place else None
    position, behind = opening.end() if opening else 0, _LINE
    scan, keys, failures, effort = json.JSONDecoder().raw_decode, set[str](), 0, 0
    while True:
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        if position >= len(text):
            if opening:
                yield Malformed("the end of the list is missing", "")
            return
        if opening and text[position] == "]" and not failures:
            opening, behind_list = _next_list(text, position + 1, begin, place)
            yield from behind_list
            if opening is None:
                return
            position = opening.end()
            continue
        try:
            value, end = scan(text, position)
        except (ValueError, RecursionError) as error:
            failures += 1
            effort += max(getattr(error, "pos", len(text)) - position, 0)
            following = behind.search(text, position + 1)
            if following is None:
                if text[position] != "]":
                    yield Malformed("cut short or no JSON", storable(text[position : position + SHOWN]))
                return
            yield Malformed("no JSON", storable(text[position : min(following.start(), position + SHOWN)]))
            if failures >= MOST_DAMAGED or effort > 4 * len(text):
                yield Malformed(f"given up after {failures:,} damaged elements", "")
                return
            position = following.end()
            continue
        element = text[position:end]
        if not keys and isinstance(value, dict) and (match := _FIRST_KEY.match(element)):
            keys, behind = set(value), _beginning_as(match.group())
        position = end
        if failures and len(keys & set(value if isinstance(value, dict) else ())) * 2 < len(keys):
            yield Malformed("a part of a damaged element", storable(element))
            continue
        try:
            yield element.encode()
        except UnicodeEncodeError:
            yield Malformed("bytes that are not UTF-8", storable(element))


def _next_list(
    text: str, position: int, begin: re.Pattern[str], place: str
) -> tuple[re.Match[str] | None, list[Malformed]]:
    """The opening of the next list behind the end of one, if there is one; and what stands there instead."""
    position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
    opening = begin.search(text, position) if place else begin.match(text, position)
    is_over = opening or place or position == len(text)
    rest = storable(text[position : position + SHOWN])
    return opening, [] if is_over else [Malformed("behind the end of the list", rest)]


def _beginning_as(first_key: str) -> re.Pattern[str]:
    """The pattern of what is before an object that begins with the same key as another."""
    parts = [re.escape(part) for part in re.split(r"\s+", first_key)]
    return re.compile(r"[,\n]\s*(?=" + r"\s*".join(parts) + ")")
