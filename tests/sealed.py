"""Data folders with encryption on."""

from pathlib import Path

import pytest

from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.settings import KEY
from feature_repo.home import Home


def turn_on(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> EncryptionKeys:
    """Gives a data folder a key-encryption key in a file of another folder."""
    path = folder / "encryption.key"
    if not path.exists():
        path.write_text(new_text())
        path.chmod(0o600)
    monkeypatch.setenv(KEY, f"file:{path}")
    keys = EncryptionKeys.of(home)
    assert keys is not None
    return keys
