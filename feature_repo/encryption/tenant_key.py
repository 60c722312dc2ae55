"""The tenant key: unwrapped by the key-encryption key, used for a stated time, then asked for again."""

import secrets
from collections.abc import Callable
from dataclasses import replace

from feature_repo.encryption.cipher import BYTES
from feature_repo.encryption.key_file import KeyFile
from feature_repo.encryption.provider import KeyEncryptionKey, open_key, unusable
from feature_repo.encryption.settings import Settings
from feature_repo.errors import EncryptionError

_RETRY_SECONDS = 10.0
"""Pause between two attempts to renew a key that is usable yet."""


def draw() -> bytes:
    """Draws the 32 bytes of a new key."""
    return secrets.token_bytes(BYTES)


def new_file(tenant: str, key: str) -> KeyFile:
    """Makes a file of keys without any; its tenant key is not wrapped yet."""
    return KeyFile(tenant=tenant, tenant_key=secrets.token_hex(8), wraps={}, key=key)


class TenantKey:
    """The tenant key of a process: cached, renewed at half its time, and closed at the end of it.

    While the key-encryption key does not answer, a cached key is used until its time is over.

    Args:
        settings: where the key-encryption key is, and for how long an unwrapped key is used.
        clock: seconds that only grow.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._id, self._secret = "", b""
        self._authentic: KeyFile | None = None
        self._ends = self._renewal = 0.0

    def of(self, file: KeyFile) -> bytes:
        """Returns the tenant key of a file of keys, after it has authenticated the file.

        Raises:
            EncryptionError: the key-encryption key is missing, wrong, or does not answer; or the file was changed.
        """
        secret = self.secret(file)
        if file is not self._authentic:
            file.authenticate(secret)
            self._authentic = file
        return secret

    def secret(self, file: KeyFile) -> bytes:
        """Returns the tenant key of a file of keys that this process has just made, and not read."""
        now = self._clock()
        is_open = bool(self._id == file.tenant_key and now < self._ends)
        if not is_open or now >= self._renewal:
            try:
                self._hold(file.tenant_key, self._unwrap(file))
            except EncryptionError:
                if not is_open:
                    self._id, self._secret = "", b""
                    raise
                self._renewal = now + _RETRY_SECONDS
        return self._secret

    def wrap_new(self, file: KeyFile, key: KeyEncryptionKey) -> KeyFile:
        """Draws the tenant key of a new file, and wraps it."""
        secret = draw()
        wrapped = replace(file, wraps={key.id: key.wrap(secret, file.tenant_context())})
        self._hold(file.tenant_key, secret)
        return wrapped

    def hold(self, file: KeyFile, secret: bytes) -> None:
        """Uses a tenant key that was unwrapped otherwise."""
        self._hold(file.tenant_key, secret)

    def _hold(self, id_: str, secret: bytes) -> None:
        now, seconds = self._clock(), self._settings.cache_seconds
        self._id, self._secret = id_, secret
        self._ends, self._renewal = now + seconds, now + seconds / 2

    def _unwrap(self, file: KeyFile) -> bytes:
        key = open_key(self._settings.key)
        wrapped = file.wraps.get(key.id)
        if wrapped is None:
            raise unusable(
                f"the key-encryption key {' or '.join(sorted(file.wraps))} of tenant {file.tenant}",
                f"{key.id} in {self._settings.key.partition(':')[0]}:",
                "give the key that encryption was turned on with, or: refrain encryption recover",
            )
        return key.unwrap(wrapped, file.tenant_context())
