"""Sessions of browsers: a random token in the place of the key, which expires and can be revoked.

The token is 256 random bits. Its SHA-256 is the name of a file in ``data/sessions/tenant=…/``, which every
process reads at each request, so that a session ends everywhere at once. A session of an API key ends with its key, and
has the roles and limits that the key has now; one of a token of an identity provider ends when that expires.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

import msgspec

from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from inference.security.caller import Caller, Limits, Refused
from inference.security.keys import KeyRing
from inference.security.tokens import PREFIX

COOKIE = "refrain_session"
"""Name of the cookie with the token."""
SECONDS = 8 * 3600.0
"""Longest life of a session."""
MAX_SESSIONS = 1_000
"""Maximum number of sessions of one tenant; beyond it the oldest ends."""


class _Session(msgspec.Struct):
    """The stored record of one session."""

    id: str
    name: str
    tenant: str
    roles: list[str]
    expires: float
    is_key: bool
    own_id: str = ""


class Sessions:
    """The sessions of one tenant. Safe to share between threads and processes.

    Args:
        home: the data folder.
        ring: the key ring of the tenant.
        clock: returns seconds since 1970 UTC.

    >>> sessions = Sessions(home, ring)                                      # doctest: +SKIP
    >>> token = sessions.create(ring.caller(key_text))                       # doctest: +SKIP
    >>> sessions.caller(token).roles                                         # doctest: +SKIP
    frozenset({'predict'})
    """

    def __init__(self, home: Home, ring: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._tenant, self._ring, self._clock = home.sessions, home.tenant, ring, clock

    def create(self, caller: Caller) -> str:
        """Begin a session of a caller and return its token, which is not stored."""
        self._make_room()
        token = secrets.token_urlsafe(32)
        expires = self._clock() + SECONDS
        if caller.expires is not None:
            expires = min(expires, caller.expires)
        is_key = not caller.id.startswith(PREFIX)
        session = _Session(caller.id, caller.name, caller.tenant, sorted(caller.roles), expires, is_key, caller.own_id)
        write_whole(self._file(token), msgspec.json.encode(session), is_secret=True)
        return token

    def caller(self, token: str) -> Caller:
        """Authenticate the browser that presents a token.

        Raises:
            Refused: there is no such session, it has expired, or its key is not valid any more.
        """
        try:
            session = msgspec.json.decode(self._file(token).read_bytes(), type=_Session)
        except (OSError, msgspec.DecodeError) as error:
            raise Refused("no session") from error
        if session.tenant != self._tenant:
            raise Refused(f"session of the tenant {session.tenant}", session.id)
        if self._clock() >= session.expires:
            self.revoke(token)
            raise Refused("expired session", session.id)
        if session.is_key:
            return self._ring.caller_of(session.id)
        roles = frozenset(session.roles)
        return Caller(session.id, session.name, session.tenant, roles, Limits(), session.expires, own_id=session.own_id)

    def revoke(self, token: str) -> None:
        """End a session at once, in every process; nothing happens if there is none."""
        self._file(token).unlink(missing_ok=True)

    def _file(self, token: str) -> Path:
        return self._folder / f"{hashlib.sha256(token.encode()).hexdigest()}.json"

    def _make_room(self) -> None:
        """Create the folder, and remove sessions that ended, and the oldest ones beyond the maximum."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        begun = sorted((file.stat().st_mtime, file) for file in self._folder.glob("*.json"))
        ended = [file for at, file in begun if at < self._clock() - SECONDS]
        for file in (*ended, *(file for _, file in begun[: max(len(begun) - MAX_SESSIONS + 1, 0)])):
            file.unlink(missing_ok=True)


def session_token(headers: dict[bytes, bytes]) -> str:
    """Read the token of the console's session from its cookie; else empty."""
    if b"cookie" not in headers:
        return ""
    try:
        cookie = SimpleCookie(headers[b"cookie"].decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""
