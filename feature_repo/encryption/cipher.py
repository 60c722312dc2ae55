"""AES-256-GCM, with the nonce in front: the one place that encrypts small secrets."""

import secrets
from typing import Any

BYTES = 32
"""Length of every key."""
_NONCE_BYTES = 12


def seal(key: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Encrypts and authenticates a text; its context is authenticated and not stored.

    Args:
        key: 32 bytes.
        plaintext: what is encrypted.
        context: what it belongs to; ``unseal`` takes the same.

    >>> unseal(bytes(32), seal(bytes(32), b"secret", b"tenant"), b"tenant")
    b'secret'
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + aead(key).encrypt(nonce, plaintext, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Decrypts what ``seal`` gave.

    Raises:
        ValueError: it was changed, or sealed with another key or context.
    """
    from cryptography.exceptions import InvalidTag

    try:
        return aead(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except InvalidTag as error:
        raise ValueError("the text was changed, or sealed with another key or context") from error


def aead(key: bytes) -> Any:
    """Returns AES-GCM with a key, of the extra ``protection``."""
    from feature_repo.extras import explained

    with explained():
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
