"""Names of packed values: ``project:view:{entity}``.

The braces are Redis Cluster's hash tag: all views of one entity lie in one slot. Where an entity has several keys
(sorted by name), each but the last is preceded by its length in bytes, so that no two entities share a name. The
bytes of a key are ``part`` of it.
"""

from collections.abc import Sequence
from urllib.parse import quote, unquote

from feature_repo.keys import part

__all__ = ["entity", "journal", "part", "parts", "prefix", "schemas", "status", "view_of"]


def prefix(project: str, view: str) -> bytes:
    """What comes before the entity. Names are percent-encoded, so that neither ``:`` nor ``{`` is in them."""
    return f"{quote(project, safe='')}:{quote(view, safe='')}:{{".encode()


def view_of(name: bytes) -> str:
    """The view to which a full name belongs.

    >>> view_of(b"shop:user%3Aorders:{u1}")
    'user:orders'
    """
    return unquote(name.split(b":", 2)[1].decode())


def schemas(project: str, view: str) -> bytes:
    """Name of the hash with the view's schemas: fingerprint in hexadecimal → canonical JSON."""
    return prefix(project, view)[:-1] + b"#schemas"


def status(project: str, view: str) -> bytes:
    """Name of the hash with what was written, for freshness."""
    return prefix(project, view)[:-1] + b"#status"


def journal(project: str) -> bytes:
    """Name of the string that says how far an unfinished materialize has come."""
    return f"{quote(project, safe='')}:#materialize".encode()


def entity(parts: Sequence[bytes]) -> bytes:
    """The name of an entity from the parts of its keys, sorted by the keys' names.

    >>> entity([b"u000042"]), entity([b"artist", b"u1"])
    (b'u000042', b'6:artistu1')
    """
    if len(parts) == 2:
        return b"%d:%b%b" % (len(parts[0]), parts[0], parts[1])
    *first, last = parts or (b"",)
    return b"".join([*(b"%d:%b" % (len(raw), raw) for raw in first), last])


def parts(name: bytes, keys: int) -> list[bytes]:
    """Back from ``entity``.

    Raises:
        ValueError: it is no name of an entity with so many keys.
    """
    found = []
    for _ in range(keys - 1):
        digits, colon, rest = name.partition(b":")
        size = int(digits)
        if not colon or size > len(rest):
            raise ValueError(f"{name!r} does not have {keys} keys")
        found.append(rest[:size])
        name = rest[size:]
    return [*found, name]
