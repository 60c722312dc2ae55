"""`refrain serve` in processes of its own, for tests."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx

from feature_repo.home import Home


@contextmanager
def serving(home: Home, *arguments: str, **environment: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """Runs `refrain serve` on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    call = [sys.executable, "-W", "ignore", "-m", "inference", "serve", "--port", str(port), *arguments]
    env = {**os.environ, "REFRAIN_HOME": str(home.root), **environment}
    process = subprocess.Popen(call, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until(lambda: _is_up(client), 60)
            yield client, process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits for a condition, or fails."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def worker_pids(pid: int) -> list[int]:
    """Process ids of the workers: children that multiprocessing spawned, without its resource tracker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
