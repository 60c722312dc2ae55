"""Public keys as texts, ``ed25519:`` and 64 hexadecimal digits, and short names of them for people."""

import hashlib
import re
from typing import TYPE_CHECKING

from feature_repo.errors import InputError
from feature_repo.extras import install_command

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "ed25519:"
PUBLIC_KEY = r"ed25519:[0-9a-f]{64}"
"""Pattern of a public key as a text."""


def public_key_of(private_key: "Ed25519PrivateKey") -> str:
    """Returns the public key of a private one as a text."""
    return PREFIX + private_key.public_key().public_bytes_raw().hex()


def short_name(public_key: str) -> str:
    """Returns 16 hexadecimal digits that name a public key.

    >>> short_name("ed25519:" + "00" * 32)
    '66687aadf862bd77'
    """
    return hashlib.sha256(bytes.fromhex(public_key.removeprefix(PREFIX))).hexdigest()[:16]


def check_public_key(text: str) -> str:
    """Returns a public key as it is written everywhere.

    Raises:
        InputError: the text is no public key.

    >>> check_public_key(" ED25519:" + "AB" * 32)[:14]
    'ed25519:ababab'
    """
    public_key = text.strip().lower()
    if not re.fullmatch(PUBLIC_KEY, public_key):
        raise InputError(
            expected="a public key: ed25519: and 64 hexadecimal digits",
            found=repr(text[:80]),
            next_command="refrain signing status  (on the machine that signs: it shows the key)",
        )
    return public_key


def is_signed_by(public_key: str, content: bytes, signature: bytes) -> bool:
    """Whether a signature (64 bytes) of a content was made with the private key of a public key.

    Raises:
        InputError: the extra ``protection`` is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise InputError(
            expected="cryptography, as keys are pinned here",
            found=str(error),
            next_command=install_command("protection"),
        ) from error
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key.removeprefix(PREFIX))).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
