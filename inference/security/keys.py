"""API keys: made once, shown once, kept as digests.

A key is ``rf_<id>_<secret>``: 8 hexadecimal digits that name it, and 256 random bits. Only the SHA-256 of the whole
lies in ``data/security/keys-<tenant>.json``, readable by its owner alone. A slow hash, as passwords need it, would
gain nothing: nobody can guess 256 bits. Digests are compared in constant time, and a key that nobody has takes as long
as one that is wrong.
"""

import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.security.caller import ROLES, Caller, Limits, Refused

PATTERN = re.compile(r"rf_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", re.ASCII)
LOOKED_AT = 1.0
"""Seconds between two looks at the file: a revoked key is refused so soon everywhere."""
_NOBODY = "0" * 64
_log = logging.getLogger("refrain.security")


@dataclass(frozen=True)
class Key:
    """What is kept of one key.

    Attributes:
        id: by which it is named.
        name: whose it is.
        tenant: of the data that it opens.
        roles: what it may do.
        digest: SHA-256 of the whole key, hexadecimal.
        created: when.
        expires: when it ends; None for never.
        revoked: when it was; None if it was not.
        limits: how much it may ask.
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
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "valid"


class _File(msgspec.Struct):
    keys: list[Key]


class KeyRing:
    """The keys of one tenant. Safe to share between threads, and its file between processes.

    Args:
        home: the data folder.
        clock: seconds since 1970 UTC.

    >>> ring = KeyRing(Home.from_env())                                    # doctest: +SKIP
    >>> text, key = ring.create("web player", ["predict"])                  # doctest: +SKIP
    >>> ring.caller(text).roles                                            # doctest: +SKIP
    frozenset({'predict'})
    """

    def __init__(self, home: Home, clock: Callable[[], float] = time.time) -> None:
        self._file, self._tenant, self._clock = home.keys, home.tenant, clock
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._seen: tuple[int, int, int] | None = None
        self._looked = -LOOKED_AT

    def create(
        self,
        name: str,
        roles: Collection[str],
        *,
        days: float | None = None,
        limits: Limits = Limits(),  # noqa: B008 (it cannot be changed)
    ) -> tuple[str, Key]:
        """A new key; its text is told here and nowhere else.

        Args:
            name: whose it is.
            roles: of ``ROLES``.
            days: after which it ends; never if None.
            limits: how much it may ask.

        Raises:
            InputError: a role, the name or a limit is none.
        """
        unknown = sorted(set(roles) - set(ROLES))
        if unknown or not roles:
            raise _wrong(f"roles among {', '.join(ROLES)}", repr(unknown[0]) if unknown else "none")
        if not re.fullmatch(r"[\w .@-]{1,64}", name):
            raise _wrong("a name of 1 to 64 letters, digits, spaces and . @ _ -", repr(name))
        if limits.per_second <= 0 or limits.burst < 1 or (limits.per_day is not None and limits.per_day < 1):
            raise _wrong("limits above zero", str(limits))
        if days is not None and days <= 0:
            raise _wrong("days above zero", f"{days:g}")
        text = f"rf_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        now = self._now()
        key = Key(
            id=text[3:11],
            name=name,
            tenant=self._tenant,
            roles=tuple(role for role in ROLES if role in roles),
            digest=_digest(text),
            created=now,
            expires=None if days is None else now + timedelta(days=days),
            limits=limits,
        )
        with self._changing() as keys:
            keys[key.id] = key
        return text, key

    def revoke(self, id: str) -> Key:
        """End a key, now and for good.

        Raises:
            InputError: there is none of the id.
        """
        with self._changing() as keys:
            if id not in keys:
                raise InputError(
                    expected="the id of a key", found=repr(id), next_command="python -m inference keys list"
                )
            keys[id] = replace(keys[id], revoked=keys[id].revoked or self._now())
            return keys[id]

    def all(self) -> list[Key]:
        """All that were ever made, oldest first.

        Raises:
            InputError: the file is damaged.
        """
        return sorted(self._read().values(), key=lambda key: key.created)

    def caller(self, text: str) -> Caller:
        """Who shows this key.

        Raises:
            Refused: nobody who may come in.
        """
        found = PATTERN.fullmatch(text)
        if found is None:
            raise Refused("no key")
        self._look()
        key = self._found(text, found[1])
        if key is None:  # one that was made a moment ago?
            self._look(now=True)
            key = self._found(text, found[1])
        if key is None:
            key = self._keys.get(found[1])
            raise Refused("unknown key" if key is None else "wrong secret", found[1])
        state = key.state(self._now())
        if state != "valid":
            raise Refused(f"{state} key", key.id)
        if key.tenant != self._tenant:
            raise Refused(f"key of the tenant {key.tenant}", key.id)
        return Caller(key.id, key.name, key.tenant, frozenset(key.roles), key.limits)

    def __bool__(self) -> bool:
        """Whether there are keys."""
        self._look()
        return bool(self._keys)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _found(self, text: str, id: str) -> Key | None:
        key = self._keys.get(id)
        same = hmac.compare_digest(_digest(text), _NOBODY if key is None else key.digest)
        return key if same else None

    def _look(self, *, now: bool = False) -> None:
        """Read the file again if it changed; of a damaged one, what was read before goes on."""
        if not now and time.monotonic() - self._looked < LOOKED_AT:
            return
        with self._lock:
            if not now and time.monotonic() - self._looked < LOOKED_AT:
                return
            self._looked = time.monotonic()
            try:
                told = self._file.stat()
                seen = (told.st_mtime_ns, told.st_size, told.st_ino)
                if seen != self._seen:
                    self._keys, self._seen = self._read(), seen
            except FileNotFoundError:
                self._keys, self._seen = {}, None
            except (InputError, OSError) as error:
                _log.error("keys are not read again: %s", error)

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
    def _changing(self) -> Iterator[dict[str, Key]]:
        """The keys, written again whole when all went well; one writer at a time."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._file.parent / f".{self._file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self._read()
            yield keys
            content = msgspec.json.encode({"keys": [asdict(key) for key in keys.values()]})
            _replace(self._file, json.dumps(json.loads(content), indent=1).encode() + b"\n")
        self._looked = -LOOKED_AT


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _replace(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, for its owner's eyes."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)


def _wrong(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command="python -m inference keys create --help")
