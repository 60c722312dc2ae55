"""Starts the HTTP server: one process, or several that share a port."""

import ipaddress
import os
import shlex
from collections.abc import Sequence

from feature_repo.bundle import is_promoted, open_bundle
from feature_repo.command_line import say
from feature_repo.environment import changed_environment
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.project import Project
from feature_repo.temporary import temporary_folder
from inference.api.app import ACCESS, GOAL_MS, MODEL, create_app
from inference.api.hosts import HOST_NAMES, names_of
from inference.monitoring import logs
from inference.monitoring.scrape import COUNTS, WORKERS
from inference.security.keys import KeyRing
from inference.security.tokens import TokenVerifier
from inference.workers import PROCESSES

DEFAULTS = {
    "--host": "127.0.0.1",
    "--port": 8_000,
    "--model": "recommendation",
    "--workers": 1,
    "--access": "auto",
    "--p99": 100.0,
    "--proxies": "",
    "--log": "",
}

SHUTDOWN_SECONDS = 30
"""Seconds that running requests have to finish when a process is stopped."""


def serve(
    home: Home,
    *,
    host: str = "127.0.0.1",
    port: int = 8_000,
    model: str = "recommendation",
    workers: int = 1,
    access: str = "auto",
    p99: float = 100.0,
    host_names: Sequence[str] = (),
    proxies: str = "",
    log: str = "",
) -> None:
    """Serve until the process is stopped; requests received by then are still answered.

    Features, events and health are served whatever is promoted; the recommender follows its first promotion.

    Args:
        home: the data folder.
        host: address to listen on; an address reachable from other machines requires keys.
        port: port to listen on.
        model: name of the recommendation model.
        workers: number of processes.
        access: ``keys``, ``open`` or ``auto``.
        p99: goal in milliseconds for the 99th percentile of the latency of recommendations.
        host_names: names under which it may be asked, besides those of this machine and ``host``; ``*`` for every name.
        proxies: addresses and networks of proxies, separated by commas. Of them alone ``X-Forwarded-For`` and
            ``X-Forwarded-Proto`` are believed.
        log: ``json`` or ``text`` to log every request in this form; empty for warnings and errors alone.

    Raises:
        InputError: the server would be open to the network without a key, or cannot listen on this address.
        BundleError: the recommender cannot be served.
        StoreError: the manifest is missing or damaged.
    """
    import uvicorn

    from inference import listen
    from inference.connections import BoundedProtocol

    values = (host, port, model, workers, access, p99, proxies, log)
    options: dict[str, object] = dict(zip(DEFAULTS, values, strict=True))

    def command(**changes: object) -> str:
        changed = options | {f"--{name}": value for name, value in changes.items()}
        words = [word for name, value in changed.items() if value != DEFAULTS[name] for word in (name, f"{value}")]
        words += [word for name in host_names for word in ("--host-name", name)]
        return shlex.join(["refrain", "serve", *words])

    _check_proxies(proxies)
    if access != "open" and not _is_loopback(host) and not KeyRing(home) and TokenVerifier.from_env(home) is None:
        raise InputError(
            expected=f"a key, to listen on {host}",
            found="none: everybody who reaches this machine would have access",
            next_command="refrain keys create NAME --role predict  (or serve … --access open)",
        )
    names = names_of(host, [*os.environ.get(HOST_NAMES, "").split(), *host_names])
    with (
        listen.bound(host, port, command) as sockets,
        temporary_folder() as counts,
        changed_environment({MODEL: model, ACCESS: access, GOAL_MS: f"{p99:g}", PROCESSES: "1", HOST_NAMES: names}),
        changed_environment({WORKERS: str(workers), COUNTS: str(counts)} if workers > 1 else {}),
    ):
        has_recommender = is_promoted(home, model)
        if workers == 1:
            application: object = create_app(model, home)
        else:  # report errors once, not from every process
            application = "inference.api.app:from_env"
            if has_recommender:
                open_bundle(model, home)
            load_address(home)
        if not has_recommender and Project.load(home.project_folder).has_music:
            say(f"no version of {model} is promoted: features, events and other models are served")
        address = listen.url(host, sockets)
        config = uvicorn.Config(
            application,  # type: ignore[arg-type]
            factory=workers > 1,
            workers=workers,
            http=BoundedProtocol,
            ws="none",
            log_level="warning",
            log_config=logs.settings(log),
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        listen.run(config, sockets, lambda: say(f"{address}/  (console), {address}/docs"))


def _check_proxies(proxies: str) -> None:
    for text in proxies.split(",") if proxies else ():
        try:
            ipaddress.ip_network(text.strip())
        except ValueError as error:
            raise InputError(
                expected="addresses or networks of proxies, such as 127.0.0.1,10.0.0.0/8",
                found=f"{text!r}",
                next_command="refrain serve --proxies 127.0.0.1",
            ) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
