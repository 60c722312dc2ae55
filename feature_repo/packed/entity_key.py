"""Names of packed values: ``project:view:{entity}``.

The braces are Redis Cluster's hash tag: all views of one entity lie in one slot. If an entity has several keys (sorted
by name), each but the last is prefixed with its length in bytes, so that names are unique. ``part`` converts a key to
bytes.
"""

from collections.abc import Sequence
from urllib.parse import quote, unquote

from feature_repo.keys import part

__all__ = ["entities", "entity", "journal", "part", "parts", "prefix", "schemas", "status", "view_of"]


def prefix(project: str, view: str) -> bytes:
    """Returns the name prefix before the entity. Project and view are percent-encoded: no ``:`` or ``{``."""
    return f"{quote(project, safe='')}:{quote(view, safe='')}:{{".encode()


def view_of(name: bytes) -> str:
    """Returns the view of a full name.

    >>> view_of(b"shop:user%3Aorders:{u1}")
    'user:orders'
    """
    return unquote(name.split(b":", 2)[1].decode())


def schemas(project: str, view: str) -> bytes:
    """Returns the name of the hash with the view's schemas: hexadecimal fingerprint → canonical JSON."""
    return prefix(project, view)[:-1] + b"#schemas"


def status(project: str, view: str) -> bytes:
    """Returns the name of the hash with the view's write status, for freshness."""
    return prefix(project, view)[:-1] + b"#status"


def journal(project: str) -> bytes:
    """Returns the name of the string with the journal of an unfinished materialize."""
    return f"{quote(project, safe='')}:#materialize".encode()


def entity(parts: Sequence[bytes]) -> bytes:
    """Joins the parts of an entity's keys, sorted by the names of the keys.

    >>> entity([b"u000042"]), entity([b"artist", b"u1"])
    (b'u000042', b'6:artistu1')
    """
    if len(parts) == 2:
        return b"%d:%b%b" % (len(parts[0]), parts[0], parts[1])
    *first, last = parts or (b"",)
    return b"".join([*(b"%d:%b" % (len(raw), raw) for raw in first), last])


def entities(before: Sequence[bytes], values: Sequence[bytes], after: Sequence[bytes], ending: bytes) -> list[bytes]:
    """Joins the parts of many entities that differ in one key, each followed by an ending; equal to ``entity``.

    >>> entities([b"artist"], [b"u1", b"u2"], [], b"}")
    [b'6:artistu1}', b'6:artistu2}']
    """
    head, tail = b"".join([b"%d:%b" % (len(raw), raw) for raw in before]), ending
    if not after:
        return [head + value + tail for value in values]
    tail = entity(after) + ending
    heads = {size: head + b"%d:" % size for size in set(map(len, values))}
    if len(heads) == 1:
        (head,) = heads.values()
        return [head + value + tail for value in values]
    return [heads[len(value)] + value + tail for value in values]


def parts(name: bytes, keys: int) -> list[bytes]:
    """Splits an entity into the parts of its keys, the inverse of ``entity``.

    Raises:
        ValueError: the name is not an entity with this number of keys.
    """
    leading_parts = []
    for _ in range(keys - 1):
        digits, colon, rest = name.partition(b":")
        size = int(digits)
        if not colon or size > len(rest):
            raise ValueError(f"{name!r} does not have {keys} keys")
        leading_parts.append(rest[:size])
        name = rest[size:]
    return [*leading_parts, name]
