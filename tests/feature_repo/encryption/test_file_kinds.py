"""Migration of sealed kinds of files: plain ones are sealed, sealed ones opened; repeated, it changes nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from feature_repo.encryption.file_kind import open_all, seal_all
from feature_repo.encryption.sealed_log import SealedLogs
from feature_repo.encryption.stored_files import read_lines
from feature_repo.home import Home
from feature_repo.restricted import Restricted
from inference.monitoring.background_log import append_line
from tests.feature_repo.encryption.test_bundle_files import plain_files, write
from tests.sealed import turn_on

LINE = b'{"user_id": "u000042"}'


@pytest.fixture
def plain(home: Home) -> Home:
    """A folder with a log, a bundle with its copy in MLflow, and a restricted person; encryption is off."""
    log = log_of(home.ensure())
    log.parent.mkdir(parents=True)
    append_line(log, LINE)
    folder = write(home)
    copy = home.mlflow / "artifacts" / "toy" / "run" / "artifacts" / "bundle"
    copy.parent.mkdir(parents=True)
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    Restricted().with_person("user_id", "u000042").save(home)
    return home


def log_of(home: Home) -> Path:
    return home.impressions / "date=2026-03-01" / "1-a.jsonl"


def with_id(home: Home) -> list[Path]:
    return [path for path in home.root.rglob("*") if path.is_file() and b"u000042" in path.read_bytes()]


def test_plain_files_are_sealed_and_made_plain_again(
    plain: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(with_id(plain)) == 6
    keys = turn_on(plain, tmp_path, monkeypatch)
    assert seal_all(plain) == {"bundles": 2, "logs": 1, "people": 1}
    assert seal_all(plain) == {"bundles": 0, "logs": 0, "people": 0}
    assert not with_id(plain)
    (log,) = log_of(plain).parent.iterdir()
    assert read_lines(log, plain) == [LINE] and Restricted.of(plain).ids_of("user_id") == {"u000042"}
    append_line(log_of(plain), LINE)  # a server that has not been started again
    assert seal_all(plain)["logs"] == 1 and not with_id(plain)
    keys.change(lambda file: replace(file, is_on=False))
    assert open_all(plain) == {"bundles": 2, "logs": 2, "people": 1}
    assert open_all(plain) == {"bundles": 0, "logs": 0, "people": 0}
    assert len(with_id(plain)) == 7 and plain_files(plain.bundles("toy") / "1") == {"users.json", "model.onnx"}
    assert [read_lines(path, plain) for path in log_of(plain).parent.iterdir()] == [[LINE], [LINE]]


def test_a_file_that_is_killed_on_its_way_to_be_plain_is_read(
    plain: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = turn_on(plain, tmp_path, monkeypatch)
    logs = SealedLogs(plain, keys)
    log_of(plain).unlink()
    logs.append(log_of(plain), LINE)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("feature_repo.encryption.file_list.FileList.drop", _killed)
        open_all(plain)
    assert read_lines(log_of(plain), plain) == [LINE]


def test_copies_in_mlflow_are_of_their_tenants(plain: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Home(plain.root, "acme")
    folder = write(other, version=2)
    copy = plain.mlflow / "artifacts" / "toy" / "run-2" / "artifacts" / "bundle"
    shutil.copytree(folder, copy)
    keys = turn_on(plain, tmp_path, monkeypatch)
    assert seal_all(plain)["bundles"] == 2 and plain_files(copy) == {"users.json", "model.onnx"}
    assert seal_all(other)["bundles"] == 2 and not plain_files(copy)
    keys.change(lambda file: replace(file, is_on=False))
    assert open_all(plain)["bundles"] == 2 and not plain_files(copy)
    shutil.rmtree(folder)  # as before it is fetched again from its copy
    assert open_all(other)["bundles"] == 1 and plain_files(copy) == {"users.json", "model.onnx"}


def _killed(*arguments: object) -> None:
    raise KeyboardInterrupt
