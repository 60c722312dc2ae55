"""Serves a coordinator over HTTP or HTTPS, beside the thread that collects."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feature_repo.errors import InputError
from feature_repo.extras import explained
from training.private.secure_aggregation.coordinator import Coordinator

SHUTDOWN_S = 5
"""Seconds that running requests have to finish."""


@contextmanager
def serving(
    coordinator: Coordinator,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    is_behind_proxy: bool = False,
) -> Iterator[str]:
    """Serves a coordinator while the block runs.

    Args:
        coordinator: the coordinator.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        certificate: file with the certificate and its chain in PEM, for HTTPS.
        key: file with the certificate's private key in PEM.
        is_behind_proxy: whether a reverse proxy ends TLS, so that plain HTTP may be served to other machines.

    Yields:
        The address, such as ``http://127.0.0.1:8010``.

    Raises:
        InputError: the address cannot be had, the certificate cannot be used, or others would be served in plain HTTP.
        MissingExtra: the extra ``inference`` is not installed.
    """
    with explained():
        import uvicorn

        from training.private.secure_aggregation.application import create_application
    if certificate is None and not is_behind_proxy and not is_loopback(host):
        raise InputError(
            expected=f"HTTPS on {host}, which other machines reach: certificate and key",
            found="plain HTTP, over which the published model and the shares of masks could be read on the way",
            next_command="serving(…, certificate=…, key=…)  (or is_behind_proxy=True behind a proxy that ends TLS)",
        )
    config = uvicorn.Config(
        create_application(coordinator),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=16 + 4 * len(coordinator.roster.silos),
        timeout_graceful_shutdown=SHUTDOWN_S,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except OSError as error:
        raise InputError(
            expected=f"a certificate in {certificate} and its private key in {key}, both in PEM",
            found=error.strerror or str(error),
            next_command="openssl x509 -in CERTIFICATE -noout -subject  (shows whether it is one)",
        ) from error
    listener = _listen(host, port)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="secure-aggregation", daemon=True)
    thread.start()
    try:
        scheme = "http" if certificate is None else "https"
        name = f"[{host}]" if ":" in host else host
        yield f"{scheme}://{name}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(2 * SHUTDOWN_S)
        listener.close()


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which no other reaches."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise InputError(
            expected="a free port on an address of this machine",
            found=f"{host} port {port}: {error.strerror or error}",
            next_command="choose port 0, which takes any free one",
        ) from error
