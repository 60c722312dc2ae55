"""A way to a server on loopback that a test can make slow, cut and mend."""

import contextlib
import socket
import threading
import time
from pathlib import Path


class SlowProxy:
    """Passes bytes on, each piece ``delay`` seconds late on its way there.

    Args:
        target: port of the server on loopback, or the path of its socket.
    """

    def __init__(self, target: int | Path) -> None:
        self.delay = 0.0
        self._target, self._is_cut = target, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._held: set[socket.socket] = set()
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and take no more."""
        self._is_cut = True
        for one in list(self._held):
            _close(one)

    def mend(self) -> None:
        """Take connections again."""
        self._is_cut = False

    def close(self) -> None:
        """End."""
        self._ended = True
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                _close(client)
                continue
            try:
                server = self._connect()
            except OSError:
                _close(client)
                continue
            self._held |= {client, server}
            threading.Thread(target=self._pass_on, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, False), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._target))
        return server

    def _pass_on(self, source: socket.socket, target: socket.socket, slowly: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                if slowly and self.delay:
                    time.sleep(self.delay)
                target.sendall(piece)
        self._held -= {source, target}
        _close(source)
        _close(target)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        one.close()
