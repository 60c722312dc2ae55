"""Tokens of an identity provider (OpenID Connect) in place of API keys.

``REFRAIN_OIDC_ISSUER`` and ``REFRAIN_OIDC_AUDIENCE`` turn it on; ``REFRAIN_OIDC_KEYS`` names the provider's key set
(JWKS), a file or an https address. A token must be signed by one of those keys with RS256, ES256 or EdDSA, have this
issuer and audience, and not be expired. Its claim ``roles`` (or ``REFRAIN_OIDC_ROLES``) lists roles, its claim
``tenant`` names the tenant. Needs the extra ``oidc``.
"""

import json
import logging
import os
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from feature_repo.errors import InputError
from feature_repo.extras import install_command
from feature_repo.home import Home
from inference.security.caller import Caller, Refused, known_roles

ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""Only public-key algorithms: with a shared secret, whoever can verify a token could also create one."""
MIN_REFRESH_SECONDS = 30.0
"""Minimum seconds between two reads of the key set for unknown keys, so that callers cannot force requests."""
MAX_AGE_SECONDS = 3600.0
"""Seconds after which the key set is read again in any case."""
MAX_TOKEN_LENGTH = 8_192
PREFIX = "oidc:"
"""Prefix of the ids of callers with a token; ids of keys have none."""
LEEWAY = 30
"""Seconds by which the clock of the identity provider may differ."""
_log = logging.getLogger("refrain.security")


class TokenVerifier:
    """Verifies tokens. Safe to share between threads.

    Args:
        home: the data folder, whose tenant is served.
        issuer: required issuer of tokens.
        audience: required audience of tokens.
        keys: location of the key set: a file, or an https address.
        roles: name of the claim with the roles: a list, or a text separated by spaces.
    """

    def __init__(self, home: Home, issuer: str, audience: str, keys: str, roles: str = "roles") -> None:
        try:
            import jwt
        except ImportError as error:
            raise InputError(
                expected="the extra oidc", found="no module jwt", next_command=install_command("oidc")
            ) from error
        if keys.startswith("http:"):
            raise _invalid("REFRAIN_OIDC_KEYS as a file or an https address", keys)
        self._jwt, self._tenant, self._home = jwt, home.tenant, home
        self._issuer, self._audience, self._keys_location, self._roles = issuer, audience, keys, roles
        self._lock = threading.Lock()
        self._keys: dict[str | None, Any] = {}
        self._read_at = -MAX_AGE_SECONDS

    @classmethod
    def from_env(cls, home: Home) -> "TokenVerifier | None":
        """Create a verifier from ``REFRAIN_OIDC_…``; None without an issuer.

        Raises:
            InputError: a variable is missing, or the extra is not installed.
        """
        issuer = os.environ.get("REFRAIN_OIDC_ISSUER", "")
        if not issuer:
            return None
        settings = {name: os.environ.get(f"REFRAIN_OIDC_{name}", "") for name in ("AUDIENCE", "KEYS")}
        for name, value in settings.items():
            if not value:
                raise _invalid(f"REFRAIN_OIDC_{name} beside REFRAIN_OIDC_ISSUER", "nothing")
        return cls(home, issuer, settings["AUDIENCE"], settings["KEYS"], os.environ.get("REFRAIN_OIDC_ROLES", "roles"))

    def caller(self, token: str) -> Caller:
        """Verify a token and return its caller.

        Raises:
            Refused: the token is not valid here.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise Refused("a token that is too long")
        try:
            key = self._key(self._jwt.get_unverified_header(token).get("kid"))
            claims = self._jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except Refused:
            raise
        except (self._jwt.PyJWTError, ValueError, TypeError) as error:
            raise Refused(f"token: {type(error).__name__}") from error
        tenant = claims.get("tenant", "default")
        if tenant != self._tenant:
            raise Refused(f"token of the tenant {tenant}", str(claims["sub"])[:64])
        claimed_roles = claims.get(self._roles, [])
        roles = (
            claimed_roles.split()
            if isinstance(claimed_roles, str)
            else claimed_roles
            if isinstance(claimed_roles, list)
            else []
        )
        whole_subject = str(claims["sub"])
        subject = whole_subject[:64]
        known = known_roles(self._home)
        held_roles = frozenset(role for role in roles if role in known)
        expires = float(claims["exp"])
        return Caller(f"{PREFIX}{subject}", subject, tenant, held_roles, expires=expires, own_id=whole_subject)

    def _key(self, name: str | None) -> Any:
        age = time.monotonic() - self._read_at
        if age > MAX_AGE_SECONDS or (name not in self._keys and age > MIN_REFRESH_SECONDS):
            with self._lock:
                if time.monotonic() - self._read_at >= min(age, MIN_REFRESH_SECONDS):
                    self._read()
        if name not in self._keys:
            raise Refused("token of an unknown key")
        return self._keys[name]

    def _read(self) -> None:
        """Read the key set; if that fails, keep the one that was read before."""
        self._read_at = time.monotonic()
        try:
            key_set = self._jwt.PyJWKSet.from_dict(json.loads(_content(self._keys_location)))
            self._keys = {key.key_id: key for key in key_set.keys}
        except (OSError, ValueError, self._jwt.PyJWTError) as error:
            _log.error("the key set could not be read: %s", error)


def _content(location: str) -> bytes:
    if location.startswith("https:"):
        with urllib.request.urlopen(location, timeout=3.0) as response:
            return bytes(response.read(1 << 20))
    return Path(location).read_bytes()


def _invalid(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command="export REFRAIN_OIDC_KEYS=https://…/jwks.json")
