"""JSON: the distinct values of each key, however they are escaped or nested; a document, or one a line."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from refrain.person.contents.reader import Part, Reader, values_part

_LINES = 20_000
"""Lines whose values are collected before they are searched."""


def values_of(documents: Iterable[bytes | str], place: str = "") -> Iterator[Part]:
    """Yields the texts and whole numbers in documents, by the key that they, or a list with them, stand under.

    What is no JSON is passed over.

    >>> [(part.key, part.content) for part in values_of([b'{"user_id": ["u\\\\u0031", 2]}'])]
    [('', b'\\x00user_id\\x00'), ('user_id', b'\\x002\\x00u1\\x00')]
    """
    values: defaultdict[str, set[str]] = defaultdict(set)
    for document in documents:
        try:
            _collect(msgspec.json.decode(document), "", values)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
    for key, texts in values.items():
        yield values_part(f"{place}key {key}" if key else f"{place}keys", sorted(texts), key=key)


def _collect(value: Any, key: str, values: defaultdict[str, set[str]]) -> None:
    if isinstance(value, str):
        values[key].add(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        values[key].add(str(value))
    elif isinstance(value, dict):
        values[""].update(value)
        for name, inner in value.items():
            _collect(inner, name, values)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, key, values)


def _read(content: bytes, _path: Path | None) -> Iterator[Part]:
    raw = bytes(content)
    try:
        msgspec.json.decode(raw, type=msgspec.Raw)
    except msgspec.MsgspecError:
        lines = raw.splitlines()
        for start in range(0, len(lines), _LINES):
            yield from values_of(lines[start : start + _LINES])
        if any(line.strip() and not _is_json(line) for line in lines):
            raise ValueError("lines that are no JSON") from None
        return
    yield from values_of([raw])


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return False
    return True


JSON = Reader("JSON", lambda content: content[:1] in (b"{", b"["), _read, is_complete=True)
