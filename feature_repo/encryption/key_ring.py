"""The data keys of a tenant: made at first use, unwrapped for a stated time, and destroyed on request."""

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from feature_repo.encryption import key_file
from feature_repo.encryption.key_file import KeyFile, WrappedKey
from feature_repo.encryption.provider import open_key, unusable
from feature_repo.encryption.settings import KEY, Settings
from feature_repo.encryption.tenant_key import TenantKey, draw, new_file
from feature_repo.errors import EncryptionError
from feature_repo.home import Home


@dataclass(frozen=True)
class DataKey:
    """A key that encrypts files.

    Attributes:
        id: names the key; files say by it with which key they were encrypted.
        secret: the key, 32 bytes; never shown by ``repr``.
    """

    id: str
    secret: bytes = field(repr=False)


class EncryptionKeys:
    """The data keys of one tenant. Safe to share between threads, and its file between processes.

    Args:
        home: the data folder and tenant.
        settings: where the key-encryption key is.
        clock: seconds that only grow; for the time that an unwrapped key is used.

    >>> from pathlib import Path
    >>> EncryptionKeys.of(Home(Path("/nowhere"))) is None
    True
    """

    def __init__(self, home: Home, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.home, self.settings = home, settings
        self._path = home.encryption_keys
        self._lock = threading.RLock()
        self._file: KeyFile | None = None
        self._index: dict[str, WrappedKey] = {}
        self._newest: dict[str, WrappedKey] = {}
        self._unwrapped: dict[str, DataKey] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._tenant_key = TenantKey(settings, clock)

    @classmethod
    def of(cls, home: Home) -> "EncryptionKeys | None":
        """Returns the keys that new files of a data folder are encrypted with; None where encryption is off.

        Raises:
            InputError: the settings are not valid.
            EncryptionError: the file of keys is damaged.
        """
        keys = cls.for_reading(home)
        if keys is None:
            return None
        file = keys.file()
        return keys if file is None or file.is_on else None

    @classmethod
    def for_reading(cls, home: Home) -> "EncryptionKeys | None":
        """Returns the keys that files may be encrypted with, also after encryption was turned off; None without any."""
        path = home.encryption_keys
        place = (str(home.root), home.tenant, str(home.project_folder), os.environ.get(KEY, ""))
        noted = ""
        ring = _RINGS.get(place)
        file = ring.file() if ring else key_file.read(path)
        if file is not None:
            noted = file.key
        settings = Settings.of(home, noted)
        if settings is None:
            return None
        if ring is None or ring.settings != settings:
            ring = _RINGS[place] = cls(home, settings)
        return ring

    def key(self, scope: str) -> DataKey:
        """Returns the newest data key of a scope; makes it at first use.

        Args:
            scope: what is encrypted: ``table/<kind>/<name>``, ``logs``, ``bundles``, ``training_sets``,
                ``person/<id>``.

        Raises:
            EncryptionError: the key-encryption key is missing, wrong, or does not answer.
        """
        return self.key_of_each([scope])[scope]

    def key_of_each(self, scopes: Iterable[str]) -> dict[str, DataKey]:
        """Returns the newest data key of each scope, as ``key`` does; makes all that are missing by one write."""
        scopes = list(dict.fromkeys(scopes))
        with self._lock:
            file = self.file()
            if file is None or any(scope not in self._newest for scope in scopes):
                file = self._make([scope for scope in scopes if scope not in self._newest])
            return {scope: self._unwrap(self._newest[scope]) for scope in scopes}

    def by_id(self, key_id: str) -> DataKey:
        """Returns the data key with an id.

        Raises:
            EncryptionError: there is no such key, it was destroyed, it is of another tenant, or the key-encryption key
                is missing, wrong, or does not answer.
        """
        with self._lock:
            self.file()
            key = self._index.get(key_id)
            if key is None:
                raise self._unknown(key_id)
            if not key.wrapped:
                raise unusable(
                    f"the key {key_id} of {key.scope}",
                    f"it was destroyed at {key.destroyed}: what it encrypted is unreadable for good",
                    "remove the file, or write it anew: refrain build",
                )
            return self._unwrap(key)

    def new_key(self, scope: str) -> DataKey:
        """Makes a new data key of a scope for new files; files of the older keys stay readable."""
        with self._lock:
            self.file()
            self._make([scope])
            return self._unwrap(self._newest[scope])

    def destroy(self, scope: str) -> None:
        """Destroys the data keys of a scope: their tombstones stay, and what they encrypted is unreadable for good.

        Copies of the file of keys, such as backups, hold the keys of their time.
        """
        now = _now()

        def without(file: KeyFile) -> KeyFile:
            return file.with_keys(
                replace(key, wrapped="", destroyed=now) if key.scope == scope and key.wrapped else key
                for key in file.keys
            )

        if self.file() is not None:
            self.change(without)

    def change(self, edit: Callable[[KeyFile], KeyFile]) -> KeyFile:
        """Changes the file of keys under its lock; makes it if there is none.

        Args:
            edit: file of keys → the changed one; may be called with a newer file than was read before.
        """
        with self._lock, key_file.locked(self._path):
            file = key_file.read(self._path)
            if file is None:
                file = new_file(self.home.tenant, self.settings.key)
                file = self._tenant_key.wrap_new(file, open_key(self.settings.key))
            else:
                self._tenant_key.of(file)
            before, changed = file, edit(file)
            if changed.tenant_key != before.tenant_key:
                raise ValueError("a new tenant key is put in its place by replace()")
            self._stamp = None
            return self._reload(key_file.write(self._path, changed, self._tenant_key.secret(changed)))

    def replace(self, tenant_key: bytes, edit: Callable[[KeyFile], KeyFile]) -> KeyFile:
        """Puts a new tenant key in the place of the one before, under the lock of the file: rotation and recovery.

        Args:
            tenant_key: the new tenant key.
            edit: file of keys → the one with all data keys wrapped by the new tenant key.
        """
        with self._lock, key_file.locked(self._path):
            file = key_file.read(self._path)
            if file is None:
                raise key_file.damaged("the wrapped keys", self._path)
            changed = edit(file)
            self._stamp = None
            self._tenant_key.hold(changed, tenant_key)
            return self._reload(key_file.write(self._path, changed, tenant_key))

    def file(self) -> KeyFile | None:
        """Returns the file of keys as it is now; None if there is none yet."""
        with self._lock:
            try:
                stat = os.stat(self._path)  # noqa: PTH116 - called for every file that is read
            except FileNotFoundError:
                self._stamp, self._file, self._index, self._newest = None, None, {}, {}
                return None
            stamp = stat.st_ino, stat.st_mtime_ns, stat.st_size
            if stamp != self._stamp:
                content = key_file.read(self._path)
                if content is not None:
                    self._reload(content)
                    self._stamp = stamp
            return self._file

    def tenant_secret(self) -> bytes:
        """Returns the unwrapped tenant key, for what is made of it: rotation and recovery.

        Raises:
            EncryptionError: the key-encryption key is missing, wrong, or does not answer.
        """
        with self._lock:
            file = self.file()
            if file is None:
                file = self.change(lambda current: current)
            return self._tenant_key.of(file)

    def _make(self, scopes: list[str]) -> KeyFile:
        """Makes a data key for each scope, unless another process was faster for one that had none."""
        had = dict(self._newest)

        def with_new(file: KeyFile) -> KeyFile:
            secret, keys = self._tenant_key.secret(file), list(file.keys)
            now = _now()
            for scope in scopes:
                newest = file.newest(scope)
                if newest is None or newest == had.get(scope):
                    keys.append(file.wrap(WrappedKey(secrets.token_hex(8), scope, now, ""), draw(), secret))
            return file.with_keys(keys)

        return self.change(with_new)

    def _unwrap(self, key: WrappedKey) -> DataKey:
        assert self._file is not None
        tenant_key = self._tenant_key.of(self._file)  # also for one that is unwrapped already: its time may be over
        if key.id not in self._unwrapped:
            self._unwrapped[key.id] = DataKey(key.id, self._file.unwrap(key, tenant_key))
        return self._unwrapped[key.id]

    def _reload(self, file: KeyFile) -> KeyFile:
        self._unwrapped = {}
        self._file, self._index = file, {key.id: key for key in file.keys}
        self._newest = {key.scope: key for key in file.keys if key.wrapped}
        return file

    def _unknown(self, key_id: str) -> EncryptionError:
        for path in sorted(self._path.parent.glob("encryption-*.json")):
            other = key_file.read(path)
            if other is not None and path != self._path and other.by_id(key_id):
                return unusable(
                    f"a key of the tenant {self.home.tenant}",
                    f"the key {key_id} of the tenant {other.tenant}",
                    "put the file back where it was; then: refrain doctor",
                )
        return unusable(
            f"the key {key_id} in {self._path}",
            "no such key",
            f"restore {self._path} from the backup of the time of the file; then: refrain encryption status",
        )


_RINGS: dict[tuple[str, str, str, str], EncryptionKeys] = {}
"""The keys of each data folder that this process uses, so that unwrapped ones are shared."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
