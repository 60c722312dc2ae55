"""API keys: created once, shown once, stored as digests.

A key is ``rf_<id>_<secret>``: an id of 8 hexadecimal digits, and 256 random bits. Only the SHA-256 of the full key is
stored, in ``data/security/keys-<tenant>.json``, readable only by its owner. A slow hash, as for passwords, would add
nothing: 256 bits cannot be guessed. Digests are compared in constant time, and an unknown id takes as long as a wrong
secret.
"""

import fcntl
import hashlib
import hmac
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from inference.security.caller import Caller, Limits, Refused, known_roles

PATTERN = re.compile(r"rf_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", re.ASCII)
CHECK_SECONDS = 1.0
"""Seconds between two checks of the file: every process refuses a revoked key within this time."""
_NOBODY = "0" * 64
_log = logging.getLogger("refrain.security")


@dataclass(frozen=True)
class Key:
    """The stored record of one key.

    Attributes:
        id: public id of the key.
        name: name of the owner.
        tenant: tenant whose data the key gives access to.
        roles: roles of the key.
        digest: SHA-256 of the full key, hexadecimal.
        created: time of creation.
        expires: time of expiry; None for never.
        revoked: time of revocation; None if the key is not revoked.
        limits: rate limit and quota.
    """

    id: str
    name: str
    tenant: str
    roles: tuple[str, ...]
    digest: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    limits: Limits = field(default_factory=Limits)

    def state(self, now: datetime) -> str:
        """Return ``valid``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "valid"

    def without_owner(self, at: datetime) -> "Key":
        """Return the key without its name, revoked at a time unless it was before."""
        return replace(self, name=FORGOTTEN, revoked=self.revoked or at)


FORGOTTEN = "forgotten"
"""Name of the keys of people who were erased."""


class _File(msgspec.Struct):
    keys: list[Key]


class KeyRing:
    """The keys of one tenant. Safe to share between threads, and its file between processes.

    Args:
        home: the data folder.
        clock: returns seconds since 1970 UTC.

    >>> ring = KeyRing(Home.from_env())                                    # doctest: +SKIP
    >>> text, key = ring.create("web player", ["predict"])                  # doctest: +SKIP
    >>> ring.caller(text).roles                                            # doctest: +SKIP
    frozenset({'predict'})
    """

    def __init__(self, home: Home, clock: Callable[[], float] = time.time) -> None:
        self._file, self._tenant, self._clock = home.keys, home.tenant, clock
        self._home = home
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._file_stamp: tuple[int, int, int] | None = None
        self._checked_at = -CHECK_SECONDS

    def create(
        self,
        name: str,
        roles: Collection[str],
        *,
        days: float | None = None,
        limits: Limits = Limits(),  # noqa: B008 (it cannot be changed)
    ) -> tuple[str, Key]:
        """Create a key and return its text and its record; the text cannot be retrieved later.

        Args:
            name: name of the owner.
            roles: of ``ROLES``, and of the section ``[access]`` of the project.
            days: days until the key expires; never if None.
            limits: rate limit and quota.

        Raises:
            InputError: a role, the name or a limit is invalid.
        """
        known = known_roles(self._home)
        unknown = sorted(set(roles) - set(known))
        if unknown or not roles:
            raise _invalid(f"roles among {', '.join(known)}", repr(unknown[0]) if unknown else "none")
        if not re.fullmatch(r"[\w .@-]{1,64}", name):
            raise _invalid("a name of 1 to 64 letters, digits, spaces and . @ _ -", repr(name))
        if limits.per_second <= 0 or limits.burst < 1 or (limits.per_day is not None and limits.per_day < 1):
            raise _invalid("limits above zero", str(limits))
        if limits.questions_per_day is not None and limits.questions_per_day < 1:
            raise _invalid("questions a day above zero", str(limits.questions_per_day))
        if limits.events_per_day is not None and limits.events_per_day < 1:
            raise _invalid("events a day above zero", str(limits.events_per_day))
        if limits.digits is not None and limits.digits < 0:
            raise _invalid("digits of zero or more", str(limits.digits))
        if days is not None and days <= 0:
            raise _invalid("days above zero", f"{days:g}")
        text = f"rf_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        now = self._now()
        key = Key(
            id=text[3:11],
            name=name,
            tenant=self._tenant,
            roles=tuple(role for role in known if role in roles),
            digest=_digest(text),
            created=now,
            expires=None if days is None else now + timedelta(days=days),
            limits=limits,
        )
        with self._transaction() as keys:
            keys[key.id] = key
        return text, key

    def revoke(self, id: str) -> Key:
        """Revoke a key immediately and for good.

        Raises:
            InputError: there is no key with this id.
        """
        with self._transaction() as keys:
            if id not in keys:
                raise InputError(expected="the id of a key", found=repr(id), next_command="refrain keys list")
            keys[id] = replace(keys[id], revoked=keys[id].revoked or self._now())
            return keys[id]

    def forget(self, is_of: Callable[[str], bool]) -> int:
        """Revoke the keys of people, and take their names out; returns the number of keys.

        The keys stay: without any, no caller would be asked for one.

        Args:
            is_of: name of a key → whether it names one of these people.
        """
        if not any(is_of(key.name) for key in self._read().values()):
            return 0
        with self._transaction() as keys:
            own = [key for key in keys.values() if is_of(key.name)]
            keys |= {key.id: key.without_owner(self._now()) for key in own}
        return len(own)

    def all(self) -> list[Key]:
        """Return all keys ever created, oldest first.

        Raises:
            InputError: the file is damaged.
        """
        return sorted(self._read().values(), key=lambda key: key.created)

    def caller(self, text: str) -> Caller:
        """Authenticate the caller who presents a key.

        Raises:
            Refused: the text is not a valid key of this tenant.
        """
        match = PATTERN.fullmatch(text)
        if match is None:
            raise Refused("no key")
        self._read_if_changed()
        key = self._matching_key(text, match[1])
        if key is None:  # the key may have been created a moment ago
            self._read_if_changed(now=True)
            key = self._matching_key(text, match[1])
        if key is None:
            key = self._keys.get(match[1])
            raise Refused("unknown key" if key is None else "wrong secret", match[1])
        return self._to_caller(key)

    def caller_of(self, id: str) -> Caller:
        """Return the caller of a key that was presented earlier, as in a session.

        Raises:
            Refused: the key is not valid any more.
        """
        self._read_if_changed()
        key = self._keys.get(id)
        if key is None:
            raise Refused("unknown key", id)
        return self._to_caller(key)

    def __bool__(self) -> bool:
        """Whether the ring has any key."""
        self._read_if_changed()
        return bool(self._keys)

    def _to_caller(self, key: Key) -> Caller:
        state = key.state(self._now())
        if state != "valid":
            raise Refused(f"{state} key", key.id)
        if key.tenant != self._tenant:
            raise Refused(f"key of the tenant {key.tenant}", key.id)
        expires = None if key.expires is None else key.expires.timestamp()
        return Caller(key.id, key.name, key.tenant, frozenset(key.roles), key.limits, expires, own_id=key.name)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _matching_key(self, text: str, id: str) -> Key | None:
        key = self._keys.get(id)
        is_equal = hmac.compare_digest(_digest(text), _NOBODY if key is None else key.digest)
        return key if is_equal else None

    def _read_if_changed(self, *, now: bool = False) -> None:
        """Read the file again if it changed; if it is damaged, keep the keys that were read before."""
        if not now and time.monotonic() - self._checked_at < CHECK_SECONDS:
            return
        with self._lock:
            if not now and time.monotonic() - self._checked_at < CHECK_SECONDS:
                return
            self._checked_at = time.monotonic()
            try:
                status = self._file.stat()
                file_stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                if file_stamp != self._file_stamp:
                    self._keys, self._file_stamp = self._read(), file_stamp
            except FileNotFoundError:
                self._keys, self._file_stamp = {}, None
            except (InputError, OSError) as error:
                _log.error("the file of keys is not read again: %s", error)

    def _read(self) -> dict[str, Key]:
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            return {key.id: key for key in msgspec.json.decode(content, type=_File).keys}
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(
                expected="a file of keys",
                found=f"{self._file}: {error}",
                next_command=f"mv {self._file} {self._file}.damaged  (then make new keys)",
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[dict[str, Key]]:
        """Yield the keys for a change, and write the file atomically afterwards; one writer at a time."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._file.parent / f".{self._file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self._read()
            yield keys
            content = msgspec.json.encode({"keys": [asdict(key) for key in keys.values()]})
            write_whole(self._file, json.dumps(json.loads(content), indent=1) + "\n", is_secret=True)
        self._checked_at = -CHECK_SECONDS


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _invalid(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command="refrain keys create --help")
