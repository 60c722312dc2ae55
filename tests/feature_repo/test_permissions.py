"""Data are not readable by every user of the machine, and the doctor says of existing folders where they are."""

import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.doctor import permissions
from feature_repo.home import Home
from feature_repo.stores import redis_server


@pytest.fixture
def reachable_home() -> Iterator[Home]:
    """A data folder below folders that every user can enter, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="refrain-modes-"))
    folder.chmod(0o755)
    yield Home(folder / "data")
    redis_server.stop(Home(folder / "data"))
    shutil.rmtree(folder)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_and_its_append_only_file_are_their_owners(reachable_home: Home) -> None:
    redis_server.ensure(reachable_home).set("a", "b")
    assert _mode(reachable_home.root) == _mode(reachable_home.redis) == 0o700
    files = [file for file in reachable_home.redis.rglob("*") if file.is_file() and file.name != "start.lock"]
    assert any("aof" in file.name for file in files)
    assert all(_mode(file) == 0o600 for file in files)
    assert list(permissions.findings(reachable_home)) == []


def test_the_doctor_says_what_every_user_can_read(reachable_home: Home) -> None:
    table = reachable_home.raw("plays") / "part.parquet"
    table.parent.mkdir(parents=True)
    for folder in (reachable_home.root, *table.parent.parents):
        if folder.is_relative_to(reachable_home.root):
            folder.chmod(0o755)
    table.touch(mode=0o640)
    assert list(permissions.findings(reachable_home)) == []
    table.chmod(0o644)
    (finding,) = permissions.findings(reachable_home)
    assert str(table.relative_to(reachable_home.root)) in finding.found
    assert finding.next_command == f"chmod -R o= {reachable_home.root}"
    assert not finding.is_fault
    reachable_home.root.chmod(0o700)
    assert list(permissions.findings(reachable_home)) == []
