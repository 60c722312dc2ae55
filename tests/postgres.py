"""A PostgreSQL server of a test's own, on loopback, in a temporary folder."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest


def _binary(name: str) -> str | None:
    """Returns the path of one of PostgreSQL's programs; Debian keeps them outside of PATH."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)]
    return shutil.which(name) or next(iter(found), None)


def _free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Postgres:
    """A server that accepts anyone on loopback; started and stopped as often as a test likes."""

    def __init__(self, folder: Path, user: dict[str, Any]) -> None:
        self._data, self._user, self.port = folder / "data", user, _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://postgres:secret@127.0.0.1:{self.port}/postgres"

    def initialize(self) -> None:
        """Creates the cluster."""
        command = [str(_binary("initdb")), "-D", str(self._data), "-U", "postgres", "-A", "trust", "--no-sync"]
        command += ["-E", "UTF8", "--locale", "C"]
        subprocess.run(command, cwd="/", check=True, capture_output=True, **self._user)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        command = [str(_binary("postgres")), "-D", str(self._data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, **self._user)
        deadline = time.monotonic() + 30
        ready = [str(_binary("pg_isready")), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        while subprocess.run(ready, check=False).returncode:
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends the server and all of its connections at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    def execute(self, *statements: str) -> None:
        """Executes statements, each in a transaction of its own."""
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def running() -> Iterator[Postgres]:
    """Starts a server and stops it; skips the test where PostgreSQL or its driver is not installed."""
    pytest.importorskip("adbc_driver_postgresql", reason="needs the extra sql")
    if _binary("initdb") is None or _binary("postgres") is None:
        pytest.skip("needs PostgreSQL (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user: dict[str, Any] = {}
    if os.getuid() == 0:  # the server refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    server = Postgres(folder, user)
    try:
        server.initialize()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
