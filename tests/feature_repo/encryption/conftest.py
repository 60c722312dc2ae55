"""A data folder whose encryption is on."""

from pathlib import Path

import pytest

from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.places import forget_checks
from feature_repo.encryption.settings import KEY
from feature_repo.home import Home


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key file, which the environment names."""
    path = tmp_path / "encryption.key"
    path.write_text(new_text())
    path.chmod(0o600)
    monkeypatch.setenv(KEY, f"file:{path}")
    forget_checks()
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data folder."""
    forget_checks()
    return Home(tmp_path / "data").ensure()
