"""Keys that two silos agree on: X25519 (RFC 7748) and HKDF of SHA-256 (RFC 5869), and what is sealed under them.

Each silo has two fresh key pairs a round. The mask key is given up, in shares, when its silo drops out, and so it must
not be the one that protects shares on their way.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from training.private.secure_aggregation.errors import RoundRefused

TAG_BYTES = 16


def mask_seed(private_key: X25519PrivateKey, public_key: bytes, context: bytes) -> bytes:
    """32 bytes that two silos have in common, and nobody else: the seed of the mask of their pair."""
    return _derive(private_key, public_key, b"mask" + context)


def seal(content: bytes, private_key: X25519PrivateKey, public_key: bytes, context: bytes, way: str) -> bytes:
    """Encrypts for a silo, by ChaCha20-Poly1305 (RFC 8439) under a key that is used for this one message.

    Args:
        content: at most one message a way.
        private_key: encryption key of the sender.
        public_key: encryption key of the recipient.
        context: of the round.
        way: sender and recipient, in this order.
    """
    key = _derive(private_key, public_key, b"seal" + context + way.encode())
    return ChaCha20Poly1305(key).encrypt(bytes(12), content, context)


def unseal(content: bytes, private_key: X25519PrivateKey, public_key: bytes, context: bytes, way: str) -> bytes:
    """Decrypts what a silo sealed for another.

    Raises:
        RoundRefused: it was made with another key, for another way or round, or was changed.
    """
    key = _derive(private_key, public_key, b"seal" + context + way.encode())
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), content, context)
    except InvalidTag:
        raise RoundRefused.because(f"shares sealed for {way}", "bytes that this key does not open") from None


def public_bytes(private_key: bytes) -> bytes:
    """The 32 bytes of the public key of a private one."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def _derive(private_key: X25519PrivateKey, public_key: bytes, purpose: bytes) -> bytes:
    try:
        common = private_key.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:  # a point of small order, whose product is zero for every key
        raise RoundRefused.because("a public key of X25519", "one that has a secret in common with everybody") from None
    return HKDF(SHA256(), 32, None, b"refrain secure aggregation 1 " + purpose).derive(common)
