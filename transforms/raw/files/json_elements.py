"""Elements of JSON that is damaged or cut short, found one after another."""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from transforms.raw.files.rows import Malformed
from transforms.raw.files.text import storable

Element: TypeAlias = Any
"""An element as JSON in bytes or as ``msgspec.Raw``, or ``Malformed``."""

MOST_DAMAGED = 1_000
"""After as many damaged elements, the rest is given up, so that a file that is made for it costs no hours."""

_BETWEEN = re.compile(r"[\s,]*")
_FIRST_KEY = re.compile(r'\{\s*"[^"]{0,200}"')
_LINE = re.compile(r"\n\s*(?=\{)")


def damaged_elements(text: str, place: str, is_array: bool) -> Iterator[Element]:
    """Yields the elements that can be read, and a ``Malformed`` for each damaged stretch.

    After a damaged element, the next one is where an object begins with the same key as the first good one.

    Args:
        text: all of the JSON.
        place: where in an object the list of elements is; empty if they are the file's own.
        is_array: whether the elements are in an array, and not one after another.
    """
    key = place.rsplit(".", maxsplit=1)[-1]
    opening = re.search(rf'"{re.escape(key)}"\s*:\s*\[' if place else r"\[", text) if is_array or place else None
    in_list = opening is not None
    position, behind = opening.end() if opening else 0, _LINE
    scan, is_first, failures, effort = json.JSONDecoder().raw_decode, True, 0, 0
    while True:
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        if position >= len(text) or (in_list and text[position] == "]"):
            if in_list and position >= len(text):
                yield Malformed("the end of the list is missing", "")
            return
        try:
            _, end = scan(text, position)
        except (ValueError, RecursionError) as error:
            failures += 1
            effort += max(getattr(error, "pos", len(text)) - position, 0)
            following = behind.search(text, position + 1)
            if following is None:
                yield Malformed("cut short or no JSON", storable(text[position : position + 2_000]))
                return
            yield Malformed("no JSON", storable(text[position : min(following.start(), position + 2_000)]))
            if failures >= MOST_DAMAGED or effort > 4 * len(text):
                yield Malformed(f"given up after {failures:,} damaged elements", "")
                return
            position = following.end()
            continue
        element = text[position:end]
        key_match = _FIRST_KEY.match(element) if is_first else None
        if key_match:
            is_first = False
            pattern = r"\s*".join(re.escape(part) for part in re.split(r"\s+", key_match.group()))
            behind = re.compile(rf"[,\n]\s*(?={pattern})")
        position = end
        try:
            yield element.encode()
        except UnicodeEncodeError:
            yield Malformed("bytes that are not UTF-8", storable(element))
