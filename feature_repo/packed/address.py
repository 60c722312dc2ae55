"""Address of the Redis that holds the packed values.

``REFRAIN_REDIS`` has the syntax of Feast's connection strings, ``host:port[,host:port…][,option=value…]``. Without it,
the embedded server of the data folder is used. Options: ``redis_type`` (``redis``, ``redis_cluster``,
``redis_sentinel``), ``sentinel_master``, ``db``, ``username``, ``password``, ``ssl``, ``ssl_ca_certs``,
``ssl_certfile``, ``ssl_keyfile``. Preferably, give the password in ``REFRAIN_REDIS_PASSWORD`` or in the file that
``REFRAIN_REDIS_PASSWORD_FILE`` names.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.errors import InputError

KINDS = ("redis", "redis_cluster", "redis_sentinel")
_SECRETS = ("password", "sentinel_password")
_OPTIONS = {
    *("redis_type", "sentinel_master", "db", "username", "ssl", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"),
    *("ssl_cert_reqs", "unix_socket_path", *_SECRETS),
}


@dataclass(frozen=True)
class Address:
    """Address of the online store.

    Attributes:
        nodes: host and port of the server, of some cluster nodes, or of the sentinels; empty for the embedded server.
        options: option name → value, as text.
    """

    nodes: tuple[tuple[str, int], ...] = ()
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, **defaults: str) -> "Address":
        """Parses a connection string; its options override the defaults.

        Raises:
            InputError: the text is not a connection string.
        """
        nodes: list[tuple[str, int]] = []
        options = dict(defaults)
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, is_option, value = part.partition("=")
            if is_option:
                options[name] = value
                continue
            host, colon, port = part.rpartition(":")
            if not colon or not port.isdigit():
                raise _bad_address(f"{part!r} among the hosts")
            nodes.append((host.strip("[]"), int(port)))
        unknown = sorted(set(options) - _OPTIONS)
        if unknown or options.get("redis_type", "redis") not in KINDS:
            raise _bad_address(f"the option {unknown[0]!r}" if unknown else f"redis_type={options['redis_type']}")
        if options.get("redis_type") == "redis_sentinel" and not options.get("sentinel_master"):
            raise _bad_address("redis_sentinel without sentinel_master")
        return cls(tuple(nodes), options)

    @classmethod
    def from_env(cls, **defaults: str) -> "Address":
        """Parses ``REFRAIN_REDIS``; the embedded server if it is not set."""
        text = os.environ.get("REFRAIN_REDIS", "")
        return cls.parse(text, **defaults) if text else cls()

    @property
    def is_embedded(self) -> bool:
        """Whether this is the embedded server of the data folder."""
        return not self.nodes and "unix_socket_path" not in self.options

    @property
    def kind(self) -> str:
        """Kind of deployment, one of ``KINDS``."""
        return self.options.get("redis_type", "redis")

    def public(self) -> dict[str, str]:
        """Returns the options that may be written to a manifest: no secrets and no hosts."""
        return {name: value for name, value in self.options.items() if name not in {*_SECRETS, "unix_socket_path"}}

    def __str__(self) -> str:
        where = ",".join(f"{host}:{port}" for host, port in self.nodes) or self.options.get("unix_socket_path", "")
        return where or "the embedded Redis"

    def arguments(self, timeout: float, retry_type: Callable[..., Any] = Retry) -> dict[str, Any]:
        """Returns keyword arguments for redis-py's clients.

        By default redis-py waits for up to ten seconds between attempts, whatever the timeout is. Here a command is
        sent once, and in a cluster once more, because a slot may have moved.

        Args:
            timeout: maximum time to connect, and maximum time for a response, in seconds.
            retry_type: class of the retry policy; asynchronous clients have their own.
        """
        options = {name: value for name, value in self.options.items() if name not in ("redis_type", "sentinel_master")}
        options.pop("sentinel_password", None)
        options.setdefault("password", _password() or "")
        typed: dict[str, Any] = {name: value for name, value in options.items() if value}
        if "db" in typed:
            typed["db"] = int(typed["db"])
        if "ssl" in typed:
            typed["ssl"] = typed["ssl"].lower() == "true"
        policy = retry_type(NoBackoff(), 1 if self.kind == "redis_cluster" else 0)
        return typed | {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": policy}


def _password() -> str | None:
    password_file = os.environ.get("REFRAIN_REDIS_PASSWORD_FILE")
    return Path(password_file).read_text().strip() if password_file else os.environ.get("REFRAIN_REDIS_PASSWORD")


def _bad_address(found: str) -> InputError:
    return InputError(
        expected="REFRAIN_REDIS as host:port[,host:port][,option=value]",
        found=found,
        next_command="export REFRAIN_REDIS=localhost:6379,redis_type=redis",
    )
