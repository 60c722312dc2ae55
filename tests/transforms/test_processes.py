"""Work in processes: results keep their order, and an item that kills its process does not affect the others."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY
from transforms.processes import FEWEST, Died, Processes


def square(number: int) -> int:
    return number * number


def square_or_die(number: int) -> int:
    if number in (3, 11):
        os._exit(1)
    return number * number


def process_id(_: int) -> int:
    return os.getpid()


def test_results_come_in_order_from_other_processes() -> None:
    with Processes(2) as processes:
        assert list(processes.each(square, range(20))) == [number * number for number in range(20)]
        assert os.getpid() not in set(processes.each(process_id, range(20)))


def test_a_few_things_are_done_here() -> None:
    with Processes(2) as processes:
        assert set(processes.each(process_id, range(FEWEST - 1))) == {os.getpid()}


def test_what_kills_its_process_is_named_and_the_rest_is_done() -> None:
    with Processes(2) as processes:
        results = list(processes.each(square_or_die, range(16)))
    assert [position for position, result in enumerate(results) if isinstance(result, Died)] == [3, 11]
    assert [result for result in results if not isinstance(result, Died)] == [
        n * n for n in range(16) if n not in (3, 11)
    ]


def test_an_error_is_the_callers() -> None:
    with Processes(2) as processes, pytest.raises(TypeError):
        list(processes.each(square, ["a"] * 10))  # type: ignore[list-item]


POOL = """
import os, signal, sys, time
from transforms.processes import Processes, worker_pool
def work(number):
    os.write(1, f"{os.getpid()}\\n".encode())  # at once: print writes the end of the line by itself
    time.sleep(600)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    if sys.argv[1] == "each":
        with Processes(2) as processes:
            list(processes.each(work, range(20)))
    else:
        with worker_pool(2, sys.argv[1]) as pool:
            [one.result() for one in [pool.submit(work, number) for number in range(2)]]
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize("how", ["each", "spawn", "forkserver"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_their_parent(tmp_path: Path, how: str, number: signal.Signals) -> None:
    (tmp_path / "pool.py").write_text(POOL)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(tmp_path)])}
    call = [sys.executable, str(tmp_path / "pool.py"), how]
    with subprocess.Popen(
        call, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        children = [int(parent.stdout.readline()) for _ in range(2)]
        parent.send_signal(number)
        parent.wait()
        for child in children:
            while is_running(child):
                time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
