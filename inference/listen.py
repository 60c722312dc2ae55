"""Listens on an address: it is taken before anything is loaded, and announced once requests are answered."""

import errno
import resource
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import uvicorn
from uvicorn.supervisors import Multiprocess

from feature_repo.errors import InputError

MOST_FILES = 8_192
"""Number of files and connections that a process asks to have open."""
NEARBY = 50
"""How far from a port in use a free one is looked for, to be proposed."""


@contextmanager
def bound(host: str, port: int, command: Callable[..., str]) -> Iterator[list[socket.socket]]:
    """Takes a port on every address of a host, for nobody else to have it; requests wait for ``run``.

    Args:
        host: name or address.
        port: 0 for any free port.
        command: makes the command of the server with another ``host`` or ``port``, for messages.

    Yields:
        One socket for an address, all with the same port; closed at the end.

    Raises:
        InputError: the port is in use or not permitted, or the host is not of this machine.
    """
    with ExitStack() as stack:
        try:
            sockets = [stack.enter_context(listener) for listener in _bind_all(host, port)]
        except OSError as error:
            raise _unusable(host, port, error, command) from error
        yield sockets


def url(host: str, sockets: Iterable[socket.socket]) -> str:
    """Returns the address of a server, with the port that it has.

    >>> with socket.create_server(("127.0.0.1", 0)) as listener:
    ...     url("127.0.0.1", [listener]) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    True
    """
    port = next(iter(sockets)).getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(config: uvicorn.Config, sockets: list[socket.socket], announce: Callable[[], object]) -> None:
    """Serves until the process is stopped.

    Args:
        config: the application; for several workers, the dotted path of what creates it.
        sockets: where to listen.
        announce: called once requests are answered.
    """
    _allow_files()
    with suppress(KeyboardInterrupt):
        if config.workers == 1:
            _Server(config, announce).run(sockets)
            return
        for listener in sockets:
            listener.set_inheritable(True)
            listener.listen(config.backlog)  # requests wait for the first worker
        announce()
        Multiprocess(config, sockets=sockets).run()


def _allow_files() -> None:
    """Raise the limit of open files as far as is permitted: without a free one, no connection is taken for a second."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], object]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _bind_all(host: str, port: int) -> list[socket.socket]:
    """Binds a port on every address of a host; those that this machine lacks, such as ::1, are left out if others are.

    Raises:
        OSError: there is no such host or address, or the port cannot be had.
    """
    addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, address in dict.fromkeys((family, address) for family, _, _, _, address in addresses):
        same_port = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_bind(family, (address[0], same_port, *address[2:])))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                _close(sockets)
                raise
            absent = error
    if absent is not None and not sockets:
        raise absent
    return sockets


def _bind(family: int, address: tuple) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(1)  # bound alone, a second server could bind it, too
    except OSError:
        listener.close()
        raise
    return listener


def _close(sockets: Iterable[socket.socket]) -> None:
    for listener in sockets:
        listener.close()


def _unusable(host: str, port: int, error: OSError, command: Callable[..., str]) -> InputError:
    if error.errno == errno.EADDRINUSE:
        return InputError(
            expected=f"a free port on {host}",
            found=f"port {port}, which another program listens on",
            next_command=command(port=_free_port(host, port)),
        )
    if error.errno == errno.EACCES:
        return InputError(
            expected=f"a port on {host} that you may listen on",
            found=f"port {port}, for which you have no permission",
            next_command=command(port=8_000),
        )
    return InputError(
        expected="an address of this machine to listen on, such as 127.0.0.1",
        found=f"{host}: {error.strerror}",
        next_command=command(host="127.0.0.1"),
    )


def _free_port(host: str, port: int) -> int:
    """Returns a port near to another one that is free at the moment; 0, which takes any, if there is none."""
    for other in range(port + 1, min(port + NEARBY, 2**16)):
        with suppress(OSError):
            _close(_bind_all(host, other))
            return other
    return 0
