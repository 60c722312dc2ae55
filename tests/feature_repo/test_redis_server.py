"""The embedded Redis: started on demand, shared, stopped, and restarted with its data after a kill."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feature_repo.errors import HomeError, StoreError
from feature_repo.home import Home
from feature_repo.stores import redis_server


def pid_of(home: Home) -> int:
    return int(redis_server.ensure(home).info("server")["process_id"])


def test_it_starts_once_for_everybody(home: Home) -> None:
    assert not redis_server.running(home)
    pid = pid_of(home)
    script = "from feature_repo.home import Home; from feature_repo.stores import redis_server as r; "
    script += "print(r.ensure(Home.from_env()).info('server')['process_id'])"
    processes = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [int(process.communicate()[0]) for process in processes] == [pid] * 3


def test_many_at_once_start_one(home: Home) -> None:
    script = "from feature_repo.home import Home; from feature_repo.stores import redis_server as r; "
    script += "print(r.ensure(Home.from_env()).info('server')['process_id'])"
    processes = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({process.communicate()[0] for process in processes}) == 1


def test_stop_keeps_the_data(home: Home) -> None:
    redis_server.ensure(home).set("key", "value")
    assert redis_server.stop(home)
    assert not redis_server.running(home)
    assert not redis_server.stop(home)
    assert redis_server.ensure(home).get("key") == b"value"


def test_a_killed_server_comes_back_with_its_data(home: Home) -> None:
    client = redis_server.ensure(home)
    client.config_set("appendfsync", "always")
    client.set("key", "value")
    pid = pid_of(home)
    os.kill(pid, signal.SIGKILL)
    while redis_server.running(home):
        time.sleep(0.01)
    assert redis_server.ensure(home).get("key") == b"value"
    assert pid_of(home) != pid


def test_a_long_path_gets_a_socket_elsewhere(tmp_path: Path) -> None:
    home = Home(tmp_path / ("x" * 120))
    try:
        redis_server.ensure(home).set("key", "value")
        assert len(os.fsencode(redis_server.socket_path(home))) <= redis_server.LONGEST_SOCKET_PATH
    finally:
        redis_server.stop(home)


def test_a_server_that_cannot_start_names_its_log(home: Home) -> None:
    home.ensure().redis.mkdir()
    (home.redis / "appendonly.aof").write_bytes(b"no append-only file")
    with pytest.raises(StoreError, match=r"redis\.log.*next: tail"):
        redis_server.ensure(home)


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError):
        redis_server.ensure(Home(tmp_path / "file" / "home"))


def test_of_a_long_path_the_socket_lies_in_the_folder_all_the_same(tmp_path: Path) -> None:
    home, linked_home = Home(tmp_path / ("x" * 120)), Home(tmp_path / "link")
    home.ensure()
    linked_home.root.symlink_to(home.root)
    try:
        pid = pid_of(home)
        assert (home.redis / redis_server.SOCKET).is_socket()
        assert pid_of(linked_home) == pid  # not a second server on the same files
        (tmp_path / "y").mkdir()
        assert not redis_server.running(Home(tmp_path / "y" / ("x" * 120)))
    finally:
        redis_server.stop(home)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="orphans are found on Linux alone")
@pytest.mark.parametrize("name", ["short", "x" * 120])
def test_a_server_whose_folder_was_deleted_is_found_and_stopped(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    redis_server.ensure(home).set("key", "old")
    pid = pid_of(home)
    shutil.rmtree(home.root)
    assert redis_server.Orphan(pid, home.redis) in redis_server.orphans()
    assert not redis_server.running(home)
    assert redis_server.stop(home)
    assert pid not in [orphan.pid for orphan in redis_server.orphans()]
    assert not redis_server.stop(home)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="orphans are found on Linux alone")
@pytest.mark.parametrize("name", ["short", "x" * 120])
def test_a_folder_made_anew_has_a_server_of_its_own(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    redis_server.ensure(home).set("key", "old")
    old_pid = pid_of(home)
    shutil.rmtree(home.root)
    try:
        assert redis_server.ensure(home).get("key") is None
        assert old_pid not in [orphan.pid for orphan in redis_server.orphans()]
    finally:
        redis_server.stop(home)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="servers are found on Linux alone")
def test_without_its_socket_a_server_is_replaced_and_nothing_is_lost(home: Home) -> None:
    redis_server.ensure(home).set("key", "value")
    old_pid = pid_of(home)
    redis_server.socket_path(home).unlink()
    assert redis_server.ensure(home).get("key") == b"value"
    assert pid_of(home) != old_pid
    assert old_pid not in [pid for pid, _ in redis_server._servers()]
