"""A key of HashiCorp Vault or OpenBao, which never leaves the service: their transit secrets engine wraps and unwraps.

``vault:https://vault.example:8200/refrain`` is the key ``refrain`` of the engine at ``transit``; of another engine,
``vault:https://vault.example:8200/transit-eu/refrain``. The token is in ``VAULT_TOKEN``, or in the file that
``VAULT_TOKEN_FILE`` names (default ``~/.vault-token``); ``VAULT_NAMESPACE`` and ``VAULT_CACERT`` are taken as Vault's
own client takes them. The key must be of a type with associated data: ``aes256-gcm96`` (the default) or
``chacha20-poly1305``. The token needs ``update`` on ``ENGINE/encrypt/KEY`` and ``ENGINE/decrypt/KEY``, nothing else.
Source: https://developer.hashicorp.com/vault/api-docs/secret/transit (``associated_data``: since Vault 1.13).
"""

import base64
import http.client
import json
import os
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from feature_repo.encryption.provider import KeyEncryptionKey, Provider, unusable
from feature_repo.errors import EncryptionError

SECONDS = 5.0
"""How long an answer of the service may take, from the connection to its last byte."""
_MOST_BYTES = 1 << 20
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class VaultKey(KeyEncryptionKey):
    """A key of the transit secrets engine.

    Args:
        address: the service, as ``https://vault.example:8200``.
        engine: where the engine is mounted.
        name: name of the key.
        seconds: how long an answer may take.
    """

    def __init__(self, address: str, engine: str, name: str, seconds: float = SECONDS) -> None:
        self._address, self._engine, self._name, self._seconds = address, engine, name, seconds

    @property
    def id(self) -> str:
        """Engine and name of the key: the same service may have several addresses."""
        return f"vault-{self._engine}-{self._name}"

    def wrap(self, secret: bytes, context: bytes) -> str:
        """Has the service encrypt the secret."""
        text = base64.b64encode(secret).decode()
        return self._ask("encrypt", {"plaintext": text, "associated_data": _text(context)}, "ciphertext")

    def unwrap(self, wrapped: str, context: bytes) -> bytes:
        """Has the service decrypt what it encrypted."""
        text = self._ask("decrypt", {"ciphertext": wrapped, "associated_data": _text(context)}, "plaintext")
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise self._failure("an answer that is not base64") from error

    def _ask(self, verb: str, body: dict[str, str], field: str) -> str:
        request = urllib.request.Request(
            f"{self._address}/v1/{self._engine}/{verb}/{self._name}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "X-Vault-Token": self._token(), "X-Vault-Request": "true"},
            method="POST",
        )
        if namespace := os.environ.get("VAULT_NAMESPACE"):
            request.add_header("X-Vault-Namespace", namespace)
        content = self._send(request)
        try:
            value = json.loads(content)["data"][field]
        except (ValueError, KeyError, TypeError) as error:
            raise self._failure(f"an answer without {field}") from error
        if not isinstance(value, str):
            raise self._failure(f"an answer whose {field} is no text")
        return value

    def _send(self, request: urllib.request.Request) -> bytes:
        """Sends a request; in a thread, as a socket bounds each of its waits and not their sum."""
        result: list[bytes | BaseException] = []

        def send() -> None:
            try:
                with self._opener().open(request, timeout=self._seconds) as response:
                    result.append(response.read(_MOST_BYTES))
            except BaseException as error:  # raised again below, in the thread that asked
                result.append(error)

        thread = threading.Thread(target=send, daemon=True, name="vault")
        thread.start()
        thread.join(self._seconds)
        if not result:
            raise self._failure(f"no answer in {self._seconds:g} seconds")
        answer = result[0]
        if isinstance(answer, bytes):
            return answer
        if isinstance(answer, urllib.error.HTTPError):
            with answer:
                raise self._failure(f"HTTP {answer.code}: {_errors_of(answer.read(_MOST_BYTES))}") from answer
        if isinstance(answer, OSError | ValueError | http.client.HTTPException):
            raise self._failure(str(getattr(answer, "reason", answer)) or type(answer).__name__) from answer
        raise answer

    def _opener(self) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context(cafile=os.environ.get("VAULT_CACERT") or None)
        return urllib.request.build_opener(_NoRedirects(), urllib.request.HTTPSHandler(context=context))

    def _token(self) -> str:
        if token := os.environ.get("VAULT_TOKEN"):
            return token.strip()
        path = Path(os.environ.get("VAULT_TOKEN_FILE") or "~/.vault-token").expanduser()
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise unusable(
                f"a token of Vault in VAULT_TOKEN or {path}", "none", "export VAULT_TOKEN=...  (or: vault login)"
            ) from error

    def _failure(self, found: str) -> EncryptionError:
        return unusable(
            f"an answer of Vault at {self._address} for the key {self._name} of {self._engine}",
            found,
            "bring the service back, or correct token and policy; then: refrain encryption status",
        )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token is for the named service alone."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuses."""


def open_vault(place: str) -> VaultKey:
    """Opens a key of a service; asks nothing yet.

    Raises:
        EncryptionError: the place is not ``https://HOST[:PORT]/[ENGINE/]KEY``, or is elsewhere and without TLS.
    """
    address = urllib.parse.urlsplit(place)
    parts = [part for part in address.path.split("/") if part]
    is_safe = address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK)
    if not is_safe or not parts or address.query or address.fragment or "@" in address.netloc:
        raise unusable(
            "vault:https://HOST:PORT/KEY, or vault:https://HOST:PORT/ENGINE/KEY; http: for this machine alone",
            repr(place),
            "refrain encryption on --key vault:https://vault.example:8200/refrain",
        )
    engine, name = "/".join(parts[:-1]) or "transit", parts[-1]
    return VaultKey(f"{address.scheme}://{address.netloc}", engine, name)


def _text(context: bytes) -> str:
    return base64.b64encode(context).decode()


def _errors_of(content: bytes) -> str:
    try:
        errors = json.loads(content)["errors"]
        return "; ".join(map(str, errors))[:300] or "no message"
    except (ValueError, KeyError, TypeError):
        return "no message"


PROVIDER = Provider("vault", "vault:URL/KEY", open_vault)
