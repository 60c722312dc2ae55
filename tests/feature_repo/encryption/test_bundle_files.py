"""Bundles with encryption on: sealed as they are written, opened as they were, refused if they were tampered with."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from feature_repo.bundle import MANIFEST, Bundle, open_bundle
from feature_repo.encryption.bundle_files import SEAL, open_files, read_file, seal_files
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.settings import KEY
from feature_repo.errors import EncryptionError
from feature_repo.home import Home
from tests.sealed import turn_on
from training.bundle import amend, write_bundle

FILES = {"users.json": b'["u000042"]', "model.onnx": b"weights of u000042", "card.html": b"<p>a card</p>"}


def write(home: Home, name: str = "toy", version: int = 1) -> Path:
    folder = home.bundles(name) / str(version)
    about = {"name": name, "version": version, "family": "toy", "feature_service": "", "fingerprint": "", "inputs": []}
    rest = {"outputs": [], "metrics": {}, "training_set": "", "cutoff": "", "extra": {}}
    write_bundle(folder, FILES, about | rest)
    return folder


@pytest.fixture
def keys(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EncryptionKeys:
    return turn_on(home.ensure(), tmp_path, monkeypatch)


def plain_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if b"u000042" in path.read_bytes()}


def test_a_bundle_is_sealed_as_it_is_written(home: Home, keys: EncryptionKeys) -> None:
    folder = write(home)
    assert not plain_files(folder)
    bundle = open_bundle("toy:1", home)
    assert {name: bundle.read(name) for name in FILES} == FILES
    assert (folder / "card.html").read_bytes() == FILES["card.html"]
    amend(folder, {"more.npz": b"rows of u000042"})
    assert not plain_files(folder)
    assert open_bundle("toy:1", home).read("more.npz") == b"rows of u000042"


def test_the_copy_of_a_bundle_opens_where_it_is_fetched(home: Home, keys: EncryptionKeys) -> None:
    folder = write(home)
    fetched = home.bundles("toy") / ".fetching-1" / "bundle"
    shutil.copytree(folder, home.mlflow / "artifacts" / "toy" / "run" / "bundle")
    shutil.copytree(home.mlflow / "artifacts" / "toy" / "run" / "bundle", fetched)
    assert read_file(fetched, "model.onnx") == FILES["model.onnx"]


def test_a_plain_bundle_is_read_and_sealed_later_and_made_plain_again(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(home)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    keys = turn_on(home, tmp_path, monkeypatch)
    assert open_bundle("toy:1", home).read("model.onnx") == FILES["model.onnx"]
    assert (seal_files(folder), seal_files(folder)) == (2, 0) and not plain_files(folder)
    assert open_bundle("toy:1", home).read("model.onnx") == FILES["model.onnx"]
    keys.change(lambda file: replace(file, refuses_plain=True))
    open_files(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(EncryptionError, match="plain bundle"):
        open_bundle("toy:1", home)


def _manifest(folder: Path, **fields: object) -> None:
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(document | fields))


@pytest.mark.parametrize(
    "change",
    [
        lambda one, two: shutil.copy(two / "model.onnx", one / "model.onnx"),
        lambda one, two: shutil.copy(one / "users.json", one / "model.onnx"),
        lambda one, two: (shutil.rmtree(one), shutil.copytree(two, one)),
        lambda one, two: _manifest(one, extra={"threshold": 0}),
        lambda one, two: (one / SEAL).unlink(),
        lambda one, two: (one / SEAL).write_bytes(b""),
        lambda one, two: (one / "model.onnx").write_bytes((one / "model.onnx").read_bytes()[:-1]),
    ],
    ids=["other version", "other file", "whole version", "manifest", "no seal", "empty seal", "cut off"],
)
def test_a_bundle_that_was_tampered_with_is_refused(
    home: Home, keys: EncryptionKeys, change: Callable[[Path, Path], object]
) -> None:
    one, two = write(home), write(home, version=2)
    change(one, two)
    with pytest.raises(EncryptionError):
        open_bundle("toy:1", home)


def test_a_sealed_bundle_without_its_key(home: Home, keys: EncryptionKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(home)
    monkeypatch.delenv(KEY)
    home.encryption_keys.unlink()
    with pytest.raises(EncryptionError, match=KEY):
        Bundle(folder, {}).read("model.onnx")
