"""A machine with a key that signs and that is pinned, a small bundle, and nothing of the user's configuration."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from feature_repo.bundle import ALIASES, MANIFEST
from feature_repo.home import Home
from feature_repo.signing import newest, trust
from feature_repo.signing.bundles import sign_bundle
from feature_repo.signing.champions import write_champion
from feature_repo.signing.private_key import write_private_key
from feature_repo.signing.public_keys import public_key_of

NAME = "churn"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty data folder, without keys of any kind."""
    for name in ("REFRAIN_SIGNING_KEY", "REFRAIN_SIGNING_KEY_PEM", "REFRAIN_SIGNING_KEY_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("REFRAIN_TRUSTED_KEYS", raising=False)
    monkeypatch.delenv("REFRAIN_SIGNING_STATE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REFRAIN_TENANT", raising=False)
    monkeypatch.setattr(newest, "_newest", {})
    return Home(tmp_path / "home").ensure()


@pytest.fixture
def new_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """A function that makes another key the one that signs, and returns its public key."""

    def make() -> str:
        path = tmp_path / f"key{len(list(tmp_path.glob('key*')))}.pem"
        public_key = public_key_of(write_private_key(path))
        monkeypatch.setenv("REFRAIN_SIGNING_KEY", str(path))
        return public_key

    return make


@pytest.fixture
def pinned(home: Home, new_key: Callable[[], str]) -> str:
    """The key that signs, which is also pinned."""
    public_key = new_key()
    trust.pin(public_key)
    return public_key


def write_bundle(home: Home, version: int = 1, name: str = NAME) -> Path:
    """Writes a bundle of two files."""
    folder = home.bundles(name) / str(version)
    folder.mkdir(parents=True)
    files = {"model.onnx": f"model {version}".encode(), "card.html": b"<p>card</p>"}
    for file, content in files.items():
        (folder / file).write_bytes(content)
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    (folder / MANIFEST).write_text(json.dumps({"name": name, "version": version, "files": digests}))
    return folder


@pytest.fixture
def signed(home: Home, pinned: str) -> Path:
    """Version 1 of a model, signed and promoted."""
    folder = write_bundle(home)
    sign_bundle(folder, home, NAME, 1)
    write_champion(home.bundles(NAME) / ALIASES, home, NAME, 1)
    return folder
