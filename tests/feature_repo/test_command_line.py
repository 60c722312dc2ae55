"""Shared behaviour of all command lines: progress lines without a terminal, and an exit that leaves no files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feature_repo import command_line, temporary

COMMAND = """
import os, sys, time
from feature_repo.command_line import command_line, progress, say
from feature_repo.temporary import temporary_folder
app = command_line("For a test.")
@app.command()
def work(place: str) -> None:
    with progress("work") as tell, temporary_folder(place) as folder:
        (folder / "half").touch()
        tell(1, 4, "users")
        say("begun")
        while True:
            time.sleep(0.01)
@app.command()
def other() -> None:
    pass
app()
"""


def start_command(place: Path, **environment: str) -> subprocess.Popen[str]:
    call = [sys.executable, "-c", COMMAND, "work", str(place)]
    variables = {**os.environ, **environment}
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def wait_until_gone(pid: int) -> None:
    while temporary.is_alive(pid) and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.02)


def test_sigterm_leaves_no_temporary_folder(tmp_path: Path) -> None:
    process = start_command(tmp_path)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == command_line.TERMINATED, errors
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start_command(tmp_path)
    process.kill()
    process.communicate()
    own_folder = tmp_path / "refrain-of-a-person"
    own_folder.mkdir()
    (leftover,) = tmp_path.glob("refrain-*-*/half")
    monkeypatch.setattr(temporary, "_swept", set())
    with temporary.temporary_folder(tmp_path) as folder:
        assert not leftover.exists()
        assert {*tmp_path.iterdir()} == {folder, own_folder}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_command_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = f"""
import os, subprocess, sys
environment = {{**os.environ, "{command_line.PARENT}": str(os.getpid())}}
process = subprocess.Popen([sys.executable, "-c", sys.argv[1], "work", sys.argv[2]], env=environment, stdout=-3)
print(process.pid, flush=True)
process.wait()
"""
    parent = subprocess.Popen([sys.executable, "-c", script, COMMAND, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    while not list(tmp_path.iterdir()):
        time.sleep(0.02)
    parent.kill()
    parent.communicate()
    wait_until_gone(child)


def test_progress_without_a_terminal_is_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_line, "FIRST_LINE_SECONDS", 0.01)
    with command_line.progress_lines("build") as report:
        report(41, 100, "user_listening")
        while "41%" not in (errors := capsys.readouterr().err):
            time.sleep(0.01)
    line = next(line for line in errors.splitlines() if "41%" in line)
    assert line.endswith("UTC  build: 41%, user_listening, 0 s")


def test_a_short_run_without_a_terminal_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with command_line.progress("build") as report:
        report(1, 2)
    assert capsys.readouterr().err == ""
    assert command_line._duration(3_725) == "1 h 2 min"
    assert command_line._duration(125) == "2 min 5 s"
