"""What a reader of a format declares."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ANY_KEY = "*"
"""Stands for the name of a key where values of any key are."""
SEPARATOR = b"\0"
"""What is between the values of a part."""


@dataclass(frozen=True)
class Part:
    """A part of a content.

    Attributes:
        place: where it is, such as ``column user_id``.
        content: its bytes; of values, all of them with ``SEPARATOR`` around each.
        is_delimited: whether it is values, so that no value runs into the next.
        key: the name of the column, or of the key, whose values these are; empty if they have none, ``ANY_KEY`` if they
            may be of any.
        owner: name of the project, with its tenant, whose values these are; empty if it is not known.
    """

    place: str
    content: bytes
    is_delimited: bool = False
    key: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Reader:
    """A format.

    Attributes:
        name: its name.
        recognizes: whether a content is of this format, by its bytes.
        read: yields the parts of a content; a path if it is a file of its own. Raises any exception if it is damaged.
        is_complete: whether the parts are all that a content says, so that its bytes say nothing more.
    """

    name: str
    recognizes: Callable[[bytes], bool]
    read: Callable[[bytes, Path | None], Iterator[Part]]
    is_complete: bool = False


def values_part(place: str, values: Iterable[str | bytes], key: str = "", owner: str = "") -> Part:
    """The part of some values.

    >>> values_part("column a", ["x", "y"], "a").content
    b'\\x00x\\x00y\\x00'
    """
    raw = [value if isinstance(value, bytes) else value.encode(errors="surrogatepass") for value in values]
    return Part(place, SEPARATOR.join([b"", *raw, b""]), is_delimited=True, key=key, owner=owner)
