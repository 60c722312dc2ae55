"""The file of a tenant's wrapped keys: written whole, under a lock, and useless without the key-encryption key.

The tenant key is wrapped by the key-encryption key (by two of them while a rotation is under way), and sealed to the
recovery key if there is one. It wraps the data keys, each with the tenant, its scope and its id as authenticated data,
and authenticates the file.
"""

import base64
import fcntl
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from feature_repo.encryption.cipher import seal, unseal
from feature_repo.encryption.provider import unusable
from feature_repo.errors import EncryptionError
from feature_repo.whole_files import write_whole

VERSION = 1
_LOCK = ".encryption.lock"


@dataclass(frozen=True)
class WrappedKey:
    """A data key as it lies on the disk.

    Attributes:
        id: its id, which files name that were encrypted with it.
        scope: what it encrypts, such as ``table/raw/plays``.
        made: when it was made, ISO 8601 in UTC.
        wrapped: the key, wrapped by the tenant key, in base64; empty if it was destroyed.
        destroyed: when it was destroyed; empty if it was not.
    """

    id: str
    scope: str
    made: str
    wrapped: str
    destroyed: str = ""


@dataclass(frozen=True)
class Recovery:
    """The recovery key as it lies on the disk: its public half, which seals without the secret one.

    Attributes:
        public: public key, in base64.
        sealed: the tenant key, sealed to it, in base64.
    """

    public: str
    sealed: str


@dataclass(frozen=True)
class KeyFile:
    """The keys of a tenant.

    Attributes:
        tenant: the tenant.
        tenant_key: id of the tenant key.
        wraps: id of a key-encryption key → the tenant key, wrapped by it.
        key: where the key-encryption key is.
        is_on: whether new files are encrypted.
        plain_tables: tables without personal columns, which stay plain; empty if all are encrypted.
        refuses_plain: whether plain files of encrypted tables are refused: all were encrypted once.
        recovery: the recovery key, if there is one.
        keys: the data keys, oldest first.
        next_wrap: id of the key-encryption key that a rotation goes to, until it is done; empty without one.
        mac: authenticates all else, with the tenant key.
    """

    tenant: str
    tenant_key: str
    wraps: Mapping[str, str]
    key: str
    is_on: bool = True
    plain_tables: tuple[str, ...] = ()
    refuses_plain: bool = False
    recovery: Recovery | None = None
    next_wrap: str = ""
    keys: tuple[WrappedKey, ...] = ()
    mac: str = field(default="", repr=False)

    def newest(self, scope: str) -> WrappedKey | None:
        """Returns the newest data key of a scope that is not destroyed."""
        return next((key for key in reversed(self.keys) if key.scope == scope and key.wrapped), None)

    def by_id(self, key_id: str) -> WrappedKey | None:
        """Returns the data key with an id."""
        return next((key for key in self.keys if key.id == key_id), None)

    @property
    def scopes(self) -> Mapping[str, int]:
        """Scope → number of its usable data keys."""
        return Counter(key.scope for key in self.keys if key.wrapped)

    def with_keys(self, keys: Iterable[WrappedKey]) -> "KeyFile":
        """Returns the same with other data keys."""
        return replace(self, keys=tuple(keys))

    def wrap(self, key: WrappedKey, secret: bytes, tenant_key: bytes) -> WrappedKey:
        """Returns a data key with its secret wrapped."""
        return replace(key, wrapped=base64.b64encode(seal(tenant_key, secret, self._context(key))).decode())

    def unwrap(self, key: WrappedKey, tenant_key: bytes) -> bytes:
        """Returns the secret of a data key.

        Raises:
            EncryptionError: the entry was changed, or is of another tenant.
        """
        try:
            return unseal(tenant_key, base64.b64decode(key.wrapped), self._context(key))
        except ValueError as error:
            raise damaged(f"the key {key.id} of {key.scope}, tenant {self.tenant}") from error

    def tenant_context(self) -> bytes:
        """What the tenant key is wrapped with."""
        return f"refrain tenant key\0{self.tenant}\0{self.tenant_key}".encode()

    def authenticate(self, tenant_key: bytes) -> None:
        """Checks that nothing in the file was changed by anyone without the tenant key.

        Raises:
            EncryptionError: something was.
        """
        if not hmac.compare_digest(self.mac, self._mac(tenant_key)):
            raise damaged(f"the keys of tenant {self.tenant}")

    def authenticated(self, tenant_key: bytes) -> "KeyFile":
        """Returns the same with the code that authenticates it."""
        return replace(self, mac=self._mac(tenant_key))

    def content(self) -> dict[str, Any]:
        """Returns the file as JSON holds it."""
        recovery = vars(self.recovery) if self.recovery else None
        return {**vars(self), "recovery": recovery, "keys": [vars(key) for key in self.keys]}

    def _mac(self, tenant_key: bytes) -> str:
        text = json.dumps({**self.content(), "mac": ""}, sort_keys=True).encode()
        return hmac.new(tenant_key, b"refrain key file\0" + text, hashlib.sha256).hexdigest()

    def _context(self, key: WrappedKey) -> bytes:
        return f"refrain data key\0{self.tenant}\0{key.scope}\0{key.id}".encode()


def read(path: Path) -> KeyFile | None:
    """Reads a file of keys; None if there is none.

    Raises:
        EncryptionError: the file is damaged.
    """
    try:
        content = json.loads(path.read_bytes())
        if content.pop("version") != VERSION:
            raise damaged(f"version {VERSION}", path)
        recovery = content.pop("recovery")
        return KeyFile(
            **{
                **content,
                "recovery": Recovery(**recovery) if recovery else None,
                "plain_tables": tuple(content["plain_tables"]),
                "keys": tuple(WrappedKey(**key) for key in content["keys"]),
            }
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged("the wrapped keys", path) from error


def write(path: Path, file: KeyFile, tenant_key: bytes) -> KeyFile:
    """Writes a file of keys, whole and for its owner alone; returns it with the code that authenticates it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = file.authenticated(tenant_key)
    write_whole(path, json.dumps({"version": VERSION, **file.content()}, indent=1), is_secret=True)
    return file


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of a file of keys: of several processes, one at a time changes it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (path.parent / _LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def damaged(what: str, path: Path | None = None) -> EncryptionError:
    """The error for a file of keys that was changed or cannot be read."""
    return unusable(
        f"{what}{f' in {path}' if path else ''}, as Refrain wrote it",
        "a file of keys that was damaged or changed",
        "restore security/encryption-TENANT.json of the data folder from a backup; then: refrain encryption status",
    )
