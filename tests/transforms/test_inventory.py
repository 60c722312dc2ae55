"""Inventories of encrypted files: an older version that was put back is noticed, and so are changed inventories."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.places import forget_checks
from feature_repo.encryption.rotation import rotate
from feature_repo.encryption.settings import KEY
from feature_repo.errors import EncryptionError, InputError
from feature_repo.home import Home
from transforms import parquet
from transforms.inventory import Inventory, take

ROWS = pl.DataFrame({"user_id": ["ann", "bob"], "n": [1, 2]})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A data folder with an encrypted file a day."""
    key = tmp_path / "encryption.key"
    key.write_text(new_text())
    key.chmod(0o600)
    monkeypatch.setenv(KEY, f"file:{key}")
    forget_checks()
    home = Home(tmp_path / "data").ensure()
    for day in ("2026-03-01", "2026-03-02"):
        parquet.write_whole(ROWS, file_of(home, day))
    return home


def file_of(home: Home, day: str) -> Path:
    return home.raw("plays") / f"date={day}" / parquet.PART


def keys(home: Home) -> EncryptionKeys:
    ring = EncryptionKeys.of(home)
    assert ring is not None
    return ring


def test_an_older_version_that_was_put_back_is_noticed(home: Home, tmp_path: Path) -> None:
    path, file, old = tmp_path / "inventories", file_of(home, "2026-03-01"), tmp_path / "old"
    assert take(home, keys(home), path) == Inventory(2, 2, 0)
    shutil.copy(file, old)
    parquet.write_whole(ROWS.head(1), file)
    assert take(home, keys(home), path) == Inventory(2, 1, 0)
    rotate(home)
    assert take(home, keys(home), path) == Inventory(2, 0, 0)
    before = path.read_bytes()
    shutil.copy(old, file)
    with pytest.raises(EncryptionError, match="an older one that was put back") as error:
        take(home, keys(home), path)
    assert str(file) in error.value.expected
    assert path.read_bytes() == before
    parquet.write_whole(ROWS.head(1), file)
    assert take(home, keys(home), path) == Inventory(2, 1, 0)


def test_a_file_that_is_gone_and_comes_back_is_an_older_one(home: Home, tmp_path: Path) -> None:
    path, file, old = tmp_path / "inventories", file_of(home, "2026-03-01"), tmp_path / "old"
    take(home, keys(home), path)
    file.rename(old)
    assert take(home, keys(home), path) == Inventory(1, 0, 1)
    old.rename(file)
    with pytest.raises(EncryptionError, match="put back"):
        take(home, keys(home), path)


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a line is missing": lambda lines: [lines[0], lines[2]],
    "the first is missing": lambda lines: lines[1:],
    "two change places": lambda lines: [lines[1], lines[0], lines[2]],
    "a word": lambda lines: [lines[0].replace(b"2026-03-01", b"2026-03-09"), *lines[1:]],
    "no JSON": lambda lines: [b"{", *lines[1:]],
    "no line of ours": lambda lines: [b"[]", *lines],
    "an unknown code": lambda lines: [lines[0].replace(b'"mac": "', b'"mac": "0'), *lines[1:]],
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_inventories_are_refused(home: Home, tmp_path: Path, name: str) -> None:
    path = tmp_path / "inventories"
    for rows in (1, 2, 1):
        take(home, keys(home), path)
        parquet.write_whole(ROWS.head(rows), file_of(home, "2026-03-02"))
    path.write_bytes(b"\n".join(CHANGES[name](path.read_bytes().splitlines())) + b"\n")
    with pytest.raises(EncryptionError, match="was changed, or lines before it are missing"):
        take(home, keys(home), path)


def test_inventories_lie_elsewhere(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="outside of the data folder"):
        take(home, keys(home), home.root / "inventories")
    with pytest.raises(InputError, match="mkdir"):
        take(home, keys(home), tmp_path / "no" / "folder" / "inventories")
