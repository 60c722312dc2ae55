"""The names under which a server may be asked.

A page of another site can have its own name point at this machine (DNS rebinding); the browser then sends requests
here with that name in the header ``Host``. Addresses are always accepted, as they are nobody's name.
"""

import ipaddress
import os
import socket
from collections.abc import Collection
from functools import lru_cache
from typing import Self

from feature_repo.errors import InputError

HOST_NAMES = "REFRAIN_HOST_NAMES"
"""Environment variable: names separated by spaces; ``*`` for every name, as behind a proxy that checks it."""
LOOPBACK_NAMES = ("localhost", "ip6-localhost")
EVERY_ADDRESS = ("0.0.0.0", "::", "")
"""What is listened on to be reached under every address of a machine."""


class Hosts:
    """The names that are accepted.

    Args:
        names: names without ports; None to accept every name.

    >>> hosts = Hosts(["music.example"])
    >>> [hosts.accepts(name) for name in (b"music.example:8000", b"127.0.0.1", b"[::1]:80", b"evil.example")]
    [True, True, True, False]
    """

    def __init__(self, names: Collection[str] | None) -> None:
        self._names = None if names is None or "*" in names else frozenset(name.lower() for name in names)

    @classmethod
    def from_env(cls) -> Self:
        """Accept the names in the environment; every name where it says nothing, as in an application of tests."""
        text = os.environ.get(HOST_NAMES)
        return cls(None if text is None else text.split())

    def accepts(self, header: bytes | None) -> bool:
        """Whether a header ``Host`` has a name that is accepted, or an address; requests without one are HTTP/1.0."""
        if self._names is None or header is None:
            return True
        name = _without_port(header.decode("latin-1"))
        return name in self._names or _is_address(name)


def names_of(bound: str, added: Collection[str]) -> str:
    """Return the names of a server, for the environment: of this machine alone, of what it listens on, and added ones.

    Args:
        bound: name or address that it listens on.
        added: names that a user adds.

    Raises:
        InputError: a name has a port, a slash or a space.
    """
    for name in added:
        if any(character in name for character in "/: ,") and not _is_address(name.strip("[]")):
            raise InputError(
                expected="a name of a host without a port, such as music.example.com",
                found=repr(name),
                next_command=f"refrain serve --host-name {name.split('//')[-1].split('/')[0].split(':')[0] or 'NAME'}",
            )
    own = (socket.gethostname(),) if bound in EVERY_ADDRESS else (bound,)
    return " ".join(dict.fromkeys(name for name in (*LOOPBACK_NAMES, *own, *added) if name))


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].lower().removesuffix(".")


@lru_cache(maxsize=1_024)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
