"""The recovery key: the way back when the key-encryption key is lost.

It is a pair of keys of X25519. The public one lies in the file of keys and seals the tenant key, also each later one,
without the secret one, which is printed once and kept by people. Sealing: an ephemeral pair, HKDF-SHA256 of the shared
secret, AES-256-GCM, with tenant and tenant key as authenticated data (the construction of ECIES).
"""

import base64
import binascii
from dataclasses import replace
from typing import Any

from feature_repo.encryption.cipher import seal, unseal
from feature_repo.encryption.key_file import KeyFile, Recovery
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.provider import open_key, unusable
from feature_repo.errors import InputError
from feature_repo.extras import explained

_MARK = "refrain-recovery-"
_BYTES = 32


def make(keys: EncryptionKeys) -> str:
    """Makes a recovery key, which replaces an earlier one; returns its secret text, which is stored nowhere."""
    secret = _private()
    public = secret.public_key().public_bytes_raw()
    tenant_key = keys.tenant_secret()

    def with_recovery(file: KeyFile) -> KeyFile:
        return replace(file, recovery=_sealed(public, file, tenant_key))

    keys.change(with_recovery)
    return _MARK + base64.b32encode(secret.private_bytes_raw()).decode().rstrip("=").lower()


def sealed_anew(file: KeyFile, tenant_key: bytes) -> Recovery | None:
    """Seals a new tenant key to the recovery key of a file; None if it has none."""
    return None if file.recovery is None else _sealed(base64.b64decode(file.recovery.public), file, tenant_key)


def recover(keys: EncryptionKeys, text: str, to: str) -> int:
    """Gives the keys a new key-encryption key, by the recovery key; returns the number of data keys that are usable.

    Args:
        keys: keys whose key-encryption key is lost.
        text: the secret text of the recovery key.
        to: where the new key-encryption key is.

    Raises:
        InputError: this is not the recovery key of these keys, or they have none.
        EncryptionError: the new key-encryption key cannot be used.
    """
    file = keys.file()
    if file is None or file.recovery is None:
        raise InputError(
            expected="keys that a recovery key was made for",
            found="none",
            next_command="restore the key-encryption key from a backup; then: refrain encryption recovery-key",
        )
    tenant_key = _opened(file, text)
    key = open_key(to)

    def with_key(current: KeyFile) -> KeyFile:
        current.authenticate(tenant_key)
        wraps = {key.id: key.wrap(tenant_key, current.tenant_context())}
        return replace(current, wraps=wraps, key=to, next_wrap="")

    return sum(keys.replace(tenant_key, with_key).scopes.values())


def _sealed(public: bytes, file: KeyFile, tenant_key: bytes) -> Recovery:
    ephemeral = _private()
    own = ephemeral.public_key().public_bytes_raw()
    content = own + seal(_shared(ephemeral, public, own + public), tenant_key, file.tenant_context())
    return Recovery(base64.b64encode(public).decode(), base64.b64encode(content).decode())


def _opened(file: KeyFile, text: str) -> bytes:
    assert file.recovery is not None
    secret = _read(text)
    public, content = base64.b64decode(file.recovery.public), base64.b64decode(file.recovery.sealed)
    own, sealed = content[:_BYTES], content[_BYTES:]
    try:
        return unseal(_shared(secret, own, own + public), sealed, file.tenant_context())
    except ValueError as error:
        raise unusable(
            f"the recovery key of tenant {file.tenant}",
            "another one, or a file of keys that was changed",
            "take the recovery key that was made last for this data folder",
        ) from error


def _read(text: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    content = "".join(text.split()).lower().removeprefix(_MARK).upper()
    try:
        return X25519PrivateKey.from_private_bytes(base64.b32decode(content + "=" * (-len(content) % 8)))
    except (ValueError, binascii.Error) as error:
        raise InputError(
            expected=f"a recovery key, as {_MARK}...",
            found=f"a text of {len(text)} characters that is none",
            next_command="refrain encryption recover --help",
        ) from error


def _private() -> Any:
    with explained():
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.generate()


def _shared(secret: Any, public: bytes, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    shared = secret.exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(hashes.SHA256(), 32, salt, b"refrain recovery key").derive(shared)
