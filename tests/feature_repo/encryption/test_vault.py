"""A key of Vault: its transit engine, played by a server that encrypts by AES-GCM, and that fails in every way."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.providers import vault
from feature_repo.encryption.providers.vault import VaultKey, open_vault
from feature_repo.encryption.rotation import rotate
from feature_repo.encryption.settings import KEY, Settings
from feature_repo.errors import EncryptionError
from feature_repo.home import Home


class Transit(ThreadingHTTPServer):
    """The transit engine of Vault as far as the client asks it: encrypt and decrypt of one key, with a token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.versions = [AESGCM(secrets.token_bytes(32))]
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.fault: Any = None
        self.stop = threading.Event()

    @property
    def place(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/refrain"


class _Handler(BaseHTTPRequestHandler):
    server: Transit

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers)))
        if self.server.fault:
            self.server.fault(self)
            return
        if self.headers["X-Vault-Token"] != "s.right":
            self.answer(403, {"errors": ["permission denied"]})
            return
        context = base64.b64decode(body["associated_data"])
        if self.path == "/v1/transit/encrypt/refrain":
            nonce = secrets.token_bytes(12)
            sealed = nonce + self.server.versions[-1].encrypt(nonce, base64.b64decode(body["plaintext"]), context)
            text = f"vault:v{len(self.server.versions)}:{base64.b64encode(sealed).decode()}"
            self.answer(200, {"data": {"ciphertext": text}})
        elif self.path == "/v1/transit/decrypt/refrain":
            _, version, text = body["ciphertext"].split(":")
            sealed = base64.b64decode(text)
            try:
                plain = self.server.versions[int(version[1:]) - 1].decrypt(sealed[:12], sealed[12:], context)
            except InvalidTag:
                self.answer(400, {"errors": ["cipher: message authentication failed"]})
                return
            self.answer(200, {"data": {"plaintext": base64.b64encode(plain).decode()}})
        else:
            self.answer(404, {"errors": []})

    def answer(self, status: int, content: Any) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def wait(self) -> None:
        """Answers nothing until the test is over."""
        self.server.stop.wait(20)

    def drip(self) -> None:
        """Sends a byte at a time, so that no single wait is long."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.stop.wait(0.02):
            self.wfile.write(b" ")
            self.wfile.flush()


@pytest.fixture
def transit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Transit]:
    server = Transit()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("VAULT_TOKEN", "s.right")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(KEY, f"vault:{server.place}")
    yield server
    server.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


def ring(home: Home, **options: Any) -> EncryptionKeys:
    settings = Settings.of(home)
    assert settings is not None
    return EncryptionKeys(home, settings, **options)


def test_data_keys_are_wrapped_by_the_service(home: Home, transit: Transit) -> None:
    data_key = ring(home).key("logs")
    assert ring(home).by_id(data_key.id) == data_key
    assert {path for path, _ in transit.requests} == {"/v1/transit/encrypt/refrain", "/v1/transit/decrypt/refrain"}
    assert "vault:v1:" in home.encryption_keys.read_text()


def test_the_service_is_asked_once_a_process_and_time(home: Home, transit: Transit) -> None:
    keys = ring(home)
    for number in range(20):
        keys.key(f"table/raw/t{number}")
    assert len(transit.requests) == 1


def test_a_rotation_wraps_by_the_newest_version(home: Home, transit: Transit) -> None:
    data_key = ring(home).key("logs")
    transit.versions.append(AESGCM(secrets.token_bytes(32)))
    rotate(home)
    assert "vault:v2:" in home.encryption_keys.read_text()
    assert "vault:v1:" not in home.encryption_keys.read_text()
    assert ring(home).key("logs") == data_key


def test_an_outage_is_bridged_by_the_cache_and_then_closes(home: Home, transit: Transit) -> None:
    seconds = [0.0]
    keys = ring(home, clock=lambda: seconds[0])
    data_key = keys.key("logs")
    transit.fault = lambda handler: handler.answer(503, {"errors": ["Vault is sealed"]})
    count = len(transit.requests)
    for now in (100.0, 160.0, 165.0, 290.0):
        seconds[0] = now
        assert keys.by_id(data_key.id) == data_key
    assert len(transit.requests) == count + 2, "asked again at half the time, and after a pause"
    seconds[0] = 301.0
    with pytest.raises(EncryptionError, match="HTTP 503: Vault is sealed"):
        keys.by_id(data_key.id)
    transit.fault = None
    assert keys.by_id(data_key.id) == data_key


FAULTS: dict[str, tuple[Any, str]] = {
    "forbidden": (
        lambda handler: handler.answer(403, {"errors": ["permission denied"]}),
        "HTTP 403: permission denied",
    ),
    "error": (lambda handler: handler.answer(500, b"<html>"), "HTTP 500: no message"),
    "no data": (lambda handler: handler.answer(200, {"data": None}), "an answer without"),
    "no json": (lambda handler: handler.answer(200, b"<html>"), "an answer without"),
    "no text": (lambda handler: handler.answer(200, {"data": {"plaintext": 1, "ciphertext": 1}}), "is no text"),
    "cut": (lambda handler: handler.wfile.write(b"HTTP/1.0 2"), "."),
    "gone": (lambda handler: handler.connection.close(), "."),
    "silent": (lambda handler: handler.wait(), "no answer in 0.3 seconds"),
    "slow": (lambda handler: handler.drip(), "no answer in 0.3 seconds"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_service_is_a_typed_error_within_the_time(
    home: Home, transit: Transit, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ring(home).key("logs")
    before = home.encryption_keys.read_bytes()
    monkeypatch.setattr(VaultKey.__init__, "__defaults__", (0.3,))
    transit.fault, found = FAULTS[name]
    started = time.monotonic()
    with pytest.raises(EncryptionError, match=found):
        ring(home).key("logs")
    assert time.monotonic() - started < vault.SECONDS, "bounded, on the slowest machine"
    assert home.encryption_keys.read_bytes() == before


def test_a_redirect_is_not_followed_with_the_token(home: Home, transit: Transit) -> None:
    def redirect(handler: _Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "http://127.0.0.1:1/elsewhere")
        handler.end_headers()

    transit.fault = redirect
    with pytest.raises(EncryptionError, match="HTTP 302"):
        ring(home).key("logs")


def test_a_service_that_is_not_there_leaves_nothing_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "vault:http://127.0.0.1:9/refrain")
    monkeypatch.setenv("VAULT_TOKEN", "s.right")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(EncryptionError, match="refused"):
        ring(home).key("logs")
    assert not home.encryption_keys.exists()


def test_a_missing_token_is_named(home: Home, transit: Transit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("VAULT_TOKEN_FILE", "/no/such/token")
    with pytest.raises(EncryptionError, match="VAULT_TOKEN or /no/such/token"):
        ring(home).key("logs")


@pytest.mark.parametrize(
    "place",
    [
        *("http://vault.example:8200/refrain", "https://vault.example:8200", "https://vault.example/", "refrain"),
        *("https://user:word@vault.example/refrain", "https://vault.example/refrain?x=1", "ftp://localhost/k"),
    ],
)
def test_a_place_that_is_none_or_without_tls_is_refused(place: str) -> None:
    with pytest.raises(EncryptionError, match=r"vault:https://HOST"):
        open_vault(place)


def test_an_engine_may_have_another_name() -> None:
    assert open_vault("https://vault.example:8200/transit-eu/refrain").id == "vault-transit-eu-refrain"
    assert open_vault("https://vault.example:8200/refrain").id == "vault-transit-refrain"
