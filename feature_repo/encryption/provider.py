"""What a provider of key-encryption keys is: it opens a key by its place, and the key wraps and unwraps secrets."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from feature_repo.errors import EncryptionError, InputError


class KeyEncryptionKey(ABC):
    """A key that wraps other keys: held by this process, or by a service that never shows it.

    A subclass says how; the wrapped secret is a text that only the same key, with the same context, unwraps.
    """

    @property
    @abstractmethod
    def id(self) -> str:
        """Names the key without telling it; two keys have two ids."""

    @abstractmethod
    def wrap(self, secret: bytes, context: bytes) -> str:
        """Wraps a secret.

        Args:
            secret: what is wrapped.
            context: what the secret is; to unwrap it takes the same context.

        Raises:
            EncryptionError: the key cannot be used now.
        """

    @abstractmethod
    def unwrap(self, wrapped: str, context: bytes) -> bytes:
        """Unwraps what ``wrap`` gave.

        Raises:
            EncryptionError: the key cannot be used now, or this was wrapped with another key or context.
        """


@dataclass(frozen=True)
class Provider:
    """A way to find a key-encryption key.

    Attributes:
        name: the scheme, as in ``file:/etc/refrain/encryption.key``.
        form: how a place of this scheme is written, for help and errors.
        open: place after the scheme → key-encryption key.
    """

    name: str
    form: str
    open: Callable[[str], KeyEncryptionKey]


@cache
def providers() -> dict[str, Provider]:
    """Returns the providers by scheme: the modules of ``feature_repo.encryption.providers``."""
    from feature_repo.discovery import definitions

    return definitions("feature_repo.encryption.providers", Provider)


def open_key(key: str) -> KeyEncryptionKey:
    """Opens a key-encryption key by its place.

    Args:
        key: ``SCHEME:PLACE``.

    Raises:
        InputError: there is no such scheme.
        EncryptionError: the key is not there, or cannot be used.

    >>> open_key("pocket:left")                                       # doctest: +ELLIPSIS
    Traceback (most recent call last):
    feature_repo.errors.InputError: expected a key-encryption key as command:COMMAND..., env:NAME, ...
    """
    scheme, _, place = key.partition(":")
    provider = providers().get(scheme)
    if provider is None or not place:
        forms = ", ".join(each.form for each in providers().values())
        raise InputError(
            expected=f"a key-encryption key as {forms}", found=repr(key), next_command="refrain encryption on --help"
        )
    return provider.open(place)


def unusable(expected: str, found: str, next_command: str = "refrain encryption status") -> EncryptionError:
    """The error of a key that cannot be used."""
    return EncryptionError(expected=expected, found=found, next_command=next_command)
