"""The data folder: its location, its tenants, and errors for folders that cannot be used."""

import os
from pathlib import Path

import pytest

from feature_repo.clock import parse_time
from feature_repo.errors import HomeError, InputError, StoreError
from feature_repo.home import DEFAULT_ROOT, IS_WORKING_COPY, REPOSITORY, Home, is_working_copy
from feature_repo.manifest import load_service
from feature_repo.materialize import newest_feature
from feature_repo.store import FOLDER
from tests.processes import run_python


def test_the_default_lies_beside_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFRAIN_HOME", raising=False)
    assert Home.from_env() == Home(DEFAULT_ROOT, "default")


def test_a_project_file_of_another_package_makes_no_working_copy(tmp_path: Path) -> None:
    assert IS_WORKING_COPY
    assert is_working_copy(REPOSITORY)
    assert not is_working_copy(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "left-in-site-packages"\n')
    assert not is_working_copy(tmp_path)
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    assert not is_working_copy(tmp_path)


def test_a_relative_folder_is_meant_from_where_the_process_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REFRAIN_HOME", "rel")
    monkeypatch.setenv("REFRAIN_REDIS_PASSWORD_FILE", "secret")
    monkeypatch.setenv("REFRAIN_OIDC_KEYS", "https://example.org/keys")
    monkeypatch.setenv("REFRAIN_REDIS", "db=1,unix_socket_path=run/redis.sock,ssl_ca_certs=/etc/ca.pem")
    home = Home.from_env()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert home == Home.from_env() == Home(tmp_path / "rel")
    assert os.environ["REFRAIN_HOME"] == str(tmp_path / "rel")  # for child processes
    assert os.environ["REFRAIN_REDIS_PASSWORD_FILE"] == str(tmp_path / "secret")
    redis = f"db=1,unix_socket_path={tmp_path / 'run/redis.sock'},ssl_ca_certs=/etc/ca.pem"
    assert os.environ["REFRAIN_REDIS"] == redis
    assert os.environ["REFRAIN_OIDC_KEYS"] == "https://example.org/keys"
    assert Home(Path("rel")).root == tmp_path / "elsewhere" / "rel"


@pytest.mark.journeys
def test_apply_in_a_relative_folder_writes_nothing_into_the_source(tmp_path: Path) -> None:
    environment = {**os.environ, "REFRAIN_HOME": "rel", "PYTHONPATH": str(REPOSITORY)}
    process = run_python("-m", "feature_repo", "apply", environment=environment, folder=tmp_path)
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "rel" / "registry.db").is_file()
    assert not (FOLDER / "rel").exists()


def test_tenants_share_no_path_and_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_TENANT", "label_b")
    home, other_home = Home(tmp_path), Home.from_env()
    assert home.project != other_home.project
    for folder_name in ("raw", "features", "quarantine", "bundles"):
        assert (
            getattr(home, folder_name)("x").name != getattr(other_home, folder_name)("x").name
            or folder_name == "bundles"
        )
    assert home.bundles("x").parts[-2] != other_home.bundles("x").parts[-2]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="data folder that can be written"):
        Home(tmp_path / "file" / "below").ensure()


def test_a_read_only_disk_is_told() -> None:
    if not Path("/proc/version").exists():
        pytest.skip("no /proc here to stand in for a read-only disk")
    with pytest.raises(HomeError, match="REFRAIN_HOME"):
        Home(Path("/proc/refrain")).ensure()


def test_no_manifest_and_a_damaged_one(home: Home) -> None:
    with pytest.raises(StoreError, match="a compiled manifest.*next: refrain apply"):
        load_service(home, "listener_v1")
    home.ensure().manifest.write_text("{")
    with pytest.raises(StoreError, match="next: refrain manifest"):
        load_service(home, "listener_v1")
    home.manifest.write_text('{"version": 99}')
    with pytest.raises(StoreError, match="version 99"):
        load_service(home, "listener_v1")


def test_nothing_to_materialize(home: Home) -> None:
    with pytest.raises(StoreError, match="next: refrain build"):
        newest_feature(home)


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert parse_time("2026-03-02T00:00:00") == parse_time("2026-03-02T01:00:00+01:00")
    for invalid_time in ("yesterday", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"):
        with pytest.raises(InputError, match="a time such as"):
            parse_time(invalid_time)
