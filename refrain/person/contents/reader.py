"""What a reader of a format declares."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
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
        source: its bytes, or what gives them.
        is_delimited: whether it is values, so that no value runs into the next.
        key: the name of the column, or of the key, whose values these are; empty if they have none, ``ANY_KEY`` if they
            may be of any.
        owner: name of the project, with its tenant, whose values these are; empty if it is not known.
        is_number: whether it is whole numbers, which say nothing about ids with letters.
    """

    place: str
    source: bytes | Callable[[], bytes]
    is_delimited: bool = False
    key: str = ""
    owner: str = ""
    is_number: bool = False

    @cached_property
    def content(self) -> bytes:
        """Its bytes; of values, all of them with ``SEPARATOR`` around each."""
        return self.source() if callable(self.source) else self.source


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
    return Part(place, _delimited(values), is_delimited=True, key=key, owner=owner)


def numbers_part(place: str, numbers: Callable[[], Iterable[str]], key: str = "") -> Part:
    """The part of whole numbers, which are written as texts only if they are searched.

    >>> numbers_part("column a", lambda: ["17", "18"]).content
    b'\\x0017\\x0018\\x00'
    """
    return Part(place, lambda: _delimited(numbers()), is_delimited=True, key=key, is_number=True)


def _delimited(values: Iterable[str | bytes]) -> bytes:
    raw = [value if isinstance(value, bytes) else value.encode(errors="surrogatepass") for value in values]
    return SEPARATOR.join([b"", *raw, b""])
