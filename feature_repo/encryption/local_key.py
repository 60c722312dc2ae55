"""A key-encryption key that this process holds: 256 random bits, which wrap with AES-256-GCM."""

import base64
import binascii
import hashlib
import secrets

from feature_repo.encryption.cipher import BYTES, seal, unseal
from feature_repo.encryption.provider import KeyEncryptionKey, unusable


class LocalKey(KeyEncryptionKey):
    """A key of 32 bytes.

    Args:
        secret: the key.
        origin: where it is from, for errors.
    """

    def __init__(self, secret: bytes, origin: str) -> None:
        self._secret, self._origin = secret, origin
        self._id = f"local-{hashlib.sha256(b'refrain key-encryption key' + secret).hexdigest()[:16]}"

    @classmethod
    def read(cls, text: str, origin: str) -> "LocalKey":
        """Reads a key from a text, as ``new_text`` makes it.

        Raises:
            EncryptionError: the text is not 32 bytes in base64 or hexadecimal.
        """
        content = "".join(text.split())
        for decode in (bytes.fromhex, _from_base64):
            try:
                secret = decode(content)
            except ValueError:
                continue
            if len(secret) == BYTES:
                return cls(secret, origin)
        raise unusable(
            f"a key of {BYTES} bytes in base64 or hexadecimal in {origin}",
            f"a text of {len(content)} characters that is none",
            "refrain encryption on --help",
        )

    @property
    def id(self) -> str:
        """The first digits of a digest of the key."""
        return self._id

    def wrap(self, secret: bytes, context: bytes) -> str:
        """Encrypts the secret, authenticated with its context."""
        return base64.b64encode(seal(self._secret, secret, context)).decode()

    def unwrap(self, wrapped: str, context: bytes) -> bytes:
        """Decrypts what ``wrap`` gave."""
        try:
            return unseal(self._secret, base64.b64decode(wrapped), context)
        except ValueError as error:
            raise unusable(
                f"a key that was wrapped with the key-encryption key of {self._origin}",
                "one that was changed, or is of another tenant",
                "restore the file of wrapped keys from a backup; then: refrain encryption status",
            ) from error


def new_text() -> str:
    """Makes a key, as the text that a key file holds.

    >>> len(new_text())
    44
    """
    return base64.b64encode(secrets.token_bytes(BYTES)).decode()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
