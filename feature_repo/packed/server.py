"""Connections to the Redis with the packed values: embedded, single server, Sentinel master, or cluster."""

import contextlib
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

import redis

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.mget import pack_mget
from feature_repo.stores import redis_server

T = TypeVar("T")

Command = tuple[Any, ...]
"""A Redis command as a tuple of its arguments."""

READ_TIMEOUT, WRITE_TIMEOUT = 1.0, 30.0
"""Timeouts of one response, in seconds."""

REDIS_ERRORS = (redis.RedisError, redis.exceptions.RedisClusterException)
"""Base classes of all errors of redis-py."""

_TRANSIENT = (
    *(redis.ConnectionError, redis.TimeoutError),
    *(redis.exceptions.ClusterError, redis.exceptions.RedisClusterException),
)
_TRANSIENT_WORDS = ("LOADING", "READONLY", "OOM", "MISCONF", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "TRYAGAIN")
"""Transient errors, after which a retry on a new connection may succeed. Script errors are matched by a word."""


class Server(Protocol):
    """Interface of a Redis connection for reads and writes."""

    def groups(self, keys: Sequence[bytes], most: int) -> list[Sequence[int]]:
        """Groups indices of keys that may be in one command, at most ``most`` per group."""
        ...

    def send(self, commands: Sequence[Command], keys: Sequence[bytes]) -> list[Any]:
        """Sends commands in one pipeline, each to the node of its key. Errors are returned among the responses."""
        ...

    def begin(self, commands: Sequence[Command], keys: Sequence[bytes]) -> Callable[[], list[Any]]:
        """Sends commands without waiting; the returned function waits for the responses. See ``send``."""
        ...

    def everywhere(self, *command: Any) -> None:
        """Runs a command without a key on every node that holds data."""
        ...

    def scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        """Yields matching names in batches."""
        ...

    def reconnect(self) -> None:
        """Drops all connections, and the cluster topology."""
        ...


class OneServer:
    """One Redis (embedded, at an address, or the master that Sentinel names), located anew after every failure.

    Commands use a persistent connection without redis-py's overhead per call, which costs as much as a small response.
    ``retry`` retries if the connection was lost meanwhile.
    redis-py closes the connections of a client without references, so every user of a connection also holds its client.
    """

    def __init__(self, connect: Callable[[], redis.Redis]) -> None:
        self._connect, self._lock = connect, threading.Lock()
        self._client: redis.Redis | None = None
        self._free: deque[tuple[redis.Redis, Any]] = deque()
        self._process = os.getpid()

    @property
    def client(self) -> redis.Redis:
        """The client, connected on first use."""
        client = self._client
        if client is None:
            with self._lock:
                client = self._client = self._client or self._connect()
        return client

    def groups(self, keys: Sequence[bytes], most: int) -> list[Sequence[int]]:
        """Groups keys by count alone: any keys may be in one command."""
        return [range(start, min(start + most, len(keys))) for start in range(0, len(keys), most)]

    def send(self, commands: Sequence[Command], keys: Sequence[bytes]) -> list[Any]:
        """Sends commands in one round trip; the error of a single command is raised."""
        answers = self.begin(commands, keys)()
        return raise_errors(answers) if len(commands) == 1 else answers

    def begin(self, commands: Sequence[Command], keys: Sequence[bytes]) -> Callable[[], list[Any]]:
        """Sends commands on a connection that is exclusive until the responses are read."""
        if self._process != os.getpid():  # after a fork: these sockets belong to the parent process
            self._free, self._process, self._client = deque(), os.getpid(), None
        try:
            client, connection = self._free.pop()
        except IndexError:
            client = self.client
            connection = client.connection_pool.get_connection()
        try:
            connection.send_packed_command(_pack(connection, commands))
        except BaseException:
            connection.disconnect()
            raise
        return partial(self._finish, client, connection, len(commands))

    def _finish(self, client: redis.Redis, connection: Any, count: int) -> list[Any]:
        """Reads ``count`` responses, including errors."""
        try:
            answers = [_read_response(connection) for _ in range(count)]
        except BaseException:
            connection.disconnect()  # unread responses may be pending
            raise
        self._free.append((client, connection))
        return answers

    def everywhere(self, *command: Any) -> None:
        """Runs a command on the server."""
        self.client.execute_command(*command)

    def scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        """Yields matching names, from a thousand names at a time."""
        yield from _scan(self.client, pattern)

    def reconnect(self) -> None:
        """Drops free connections; the next command connects. Connections in use by other threads are kept."""
        with self._lock:
            self._client, free, self._free = None, self._free, deque()
        while free:
            with contextlib.suppress(IndexError):  # another thread took the connection
                free.pop()[1].disconnect()


_Pending = tuple[Any, Any, list[int]]
"""A connection pool, one of its connections with pending responses, and the indices of their commands."""


class ClusterServer:
    """A Redis Cluster. Commands are sent to all nodes first, then all responses are read."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address, self._timeout, self._lock = address, timeout, threading.Lock()
        self._client: redis.RedisCluster | None = None

    @property
    def client(self) -> redis.RedisCluster:
        """The client, connected on first use."""
        client = self._client
        if client is None:
            with self._lock:
                client = self._client = self._client or self._connect()
        return client

    def _connect(self) -> redis.RedisCluster:
        nodes = [redis.cluster.ClusterNode(host, port) for host, port in self._address.nodes]
        arguments = self._address.arguments(self._timeout)
        return redis.RedisCluster(startup_nodes=nodes, **arguments)

    def groups(self, keys: Sequence[bytes], most: int) -> list[Sequence[int]]:
        """Groups keys by slot; because of the hash tag, all views of one entity share a slot."""
        slots: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            slots.setdefault(redis.crc.key_slot(key), []).append(place)
        return [places[start : start + most] for places in slots.values() for start in range(0, len(places), most)]

    def send(self, commands: Sequence[Command], keys: Sequence[bytes]) -> list[Any]:
        """Sends commands in one round trip per node; commands for moved slots are redirected."""
        return self.begin(commands, keys)()

    def begin(self, commands: Sequence[Command], keys: Sequence[bytes]) -> Callable[[], list[Any]]:
        """Sends commands on connections that are exclusive until the responses are read."""
        client = self.client
        by_node: dict[str, tuple[Any, list[int]]] = {}
        for place, key in enumerate(keys):
            node = client.nodes_manager.get_node_from_slot(redis.crc.key_slot(key))
            by_node.setdefault(node.name, (node, []))[1].append(place)
        pending: list[_Pending] = []
        try:
            for node, places in by_node.values():
                pool = client.get_redis_connection(node).connection_pool
                connection = pool.get_connection()
                pending.append((pool, connection, places))
                connection.send_packed_command(_pack(connection, [commands[place] for place in places]))
        except BaseException:
            _discard(pending)
            raise
        return partial(self._finish, client, commands, pending)

    def _finish(self, client: redis.RedisCluster, commands: Sequence[Command], pending: list[_Pending]) -> list[Any]:
        answers: list[Any] = [None] * len(commands)
        try:
            for _, connection, places in pending:
                for place in places:
                    answers[place] = _read_response(connection)
        except BaseException:
            _discard(pending)
            raise
        for pool, connection, _ in pending:
            pool.release(connection)
        moved_errors = (redis.exceptions.MovedError, redis.exceptions.AskError, redis.exceptions.TryAgainError)
        for place, answer in enumerate(answers):
            if isinstance(answer, moved_errors):
                answers[place] = client.execute_command(*commands[place])
        return answers

    def everywhere(self, *command: Any) -> None:
        """Runs a command on every primary."""
        self.client.execute_command(*command, target_nodes=redis.RedisCluster.PRIMARIES)

    def scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        """Yields matching names of every primary."""
        for node in self.client.get_primaries():
            yield from _scan(self.client.get_redis_connection(node), pattern)

    def reconnect(self) -> None:
        """Drops the client; the next command reloads the slots. Other threads finish on their connections."""
        self._client = None


def _pack(connection: Any, commands: Sequence[Command]) -> Any:
    """Packs commands, a lookup of many rows by ``pack_mget``."""
    if len(commands) == 1 and commands[0][0] == "MGET":
        return [pack_mget(commands[0][1:])]
    return connection.pack_commands(commands)


def _read_response(connection: Any) -> Any:
    """Reads the next response; a Redis error is returned, not raised."""
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def _discard(pending: list[_Pending]) -> None:
    """Closes and releases connections that may have unread responses."""
    for pool, connection, _ in pending:
        connection.disconnect()
        pool.release(connection)


def _scan(client: redis.Redis, pattern: bytes) -> Iterator[list[bytes]]:
    cursor = 0
    while True:
        cursor, names = client.scan(cursor, match=pattern, count=1000)  # type: ignore[misc]
        if names:
            yield names
        if not cursor:
            return


def open_server(home: Home, address: Address, timeout: float) -> Server:
    """Returns the server at an address, connected on first use."""
    if address.is_embedded:
        return OneServer(lambda: redis_server.ensure(home, timeout))
    if address.kind == "redis_cluster":
        return ClusterServer(address, timeout)
    return OneServer(lambda: _connect(address, timeout))


def _connect(address: Address, timeout: float) -> redis.Redis:
    arguments = address.arguments(timeout)
    if address.kind == "redis_sentinel":
        sentinel = redis.Sentinel(address.nodes, sentinel_kwargs=sentinel_arguments(address, arguments))
        return sentinel.master_for(address.options["sentinel_master"], **arguments)
    if address.nodes:
        arguments["host"], arguments["port"] = address.nodes[0]
    return redis.Redis(**arguments)


def sentinel_arguments(address: Address, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns arguments for sentinels: timeouts, retries and certificates of the servers, no password or database."""
    shared = {name: value for name, value in arguments.items() if name.startswith(("ssl", "socket", "retry"))}
    password = address.options.get("sentinel_password") or os.environ.get("REFRAIN_SENTINEL_PASSWORD")
    return shared | ({"password": password} if password else {})


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translates redis-py's errors into ``OnlineUnavailable``, with the next command.

    Raises:
        OnlineUnavailable: in place of an error of redis-py.
    """
    try:
        yield
    except REDIS_ERRORS as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> OnlineUnavailable:
    """Converts an error of redis-py to ``OnlineUnavailable``."""
    message = _first_line(error)
    for error_type, word, expected, next_command in _CAUSES:
        if isinstance(error, error_type) or (word and word in str(error)):
            return OnlineUnavailable(expected=f"the online store {expected}", found=message, next_command=next_command)
    default_command = "refrain redis status"
    return OnlineUnavailable(expected="the online store to answer", found=message, next_command=default_command)


class _NoErrorType(Exception):
    """Placeholder class for causes that are matched by a word only."""


_CAUSES: tuple[tuple[type[Exception], str, str, str], ...] = (
    (redis.exceptions.OutOfMemoryError, "OOM", "to have room", "redis-cli config get maxmemory  (raise it)"),
    (redis.ReadOnlyError, "READONLY", "to take writes", "redis-cli role  (a replica answers: name the master)"),
    (_NoErrorType, "MISCONF", "to have a disk to write to", "redis-cli info persistence"),
    (redis.AuthenticationError, "", "to let us in", "export REFRAIN_REDIS_PASSWORD=…"),
    (redis.exceptions.NoPermissionError, "", "to let us in", "redis-cli acl whoami  (that user may not do this)"),
    (redis.TimeoutError, "", "to answer in time", "refrain redis status"),
    (redis.exceptions.ClusterDownError, "CLUSTERDOWN", "to have all its nodes", "redis-cli cluster info"),
)


def _is_transient(error: Exception) -> bool:
    if isinstance(error, redis.AuthenticationError):
        return False
    return isinstance(error, _TRANSIENT) or any(word in str(error) for word in _TRANSIENT_WORDS)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__


def retry(server: Server, ask: Callable[[], T], *, tries: int, patience: float = 0.0) -> T:
    """Runs a request; after a transient error, reconnects and retries. For idempotent requests only.

    Args:
        server: connection that the request uses.
        ask: function that runs the request.
        tries: minimum number of attempts.
        patience: seconds during which attempts continue, with exponential backoff.

    Raises:
        OnlineUnavailable: the error is not transient, or all attempts failed.
    """
    started, pause_s = time.monotonic(), 0.05
    attempt = 0
    while True:
        attempt += 1
        try:
            return ask()
        except REDIS_ERRORS as error:
            if not _is_transient(error):
                raise unavailable(error) from error
            server.reconnect()
            elapsed_s = time.monotonic() - started
            if attempt >= tries and elapsed_s + pause_s > patience:
                raise unavailable(error) from error
            if patience:
                time.sleep(pause_s * random.uniform(0.5, 1.0))
                pause_s = min(pause_s * 2, 2.0)


def begin(
    server: Server, commands: Sequence[Command], keys: Sequence[bytes], again: Callable[[], list[Any]]
) -> Callable[[], list[Any]]:
    """Sends commands without waiting for their responses. For idempotent commands only.

    Args:
        server: connection to send on.
        commands: commands with one key each.
        keys: key of each command.
        again: fallback that repeats the request (see ``retry``) if anything fails.

    Returns:
        Function that waits for the responses.
    """
    try:
        finish = server.begin(commands, keys)
    except REDIS_ERRORS:
        return again

    def answers() -> list[Any]:
        try:
            return raise_errors(finish())
        except REDIS_ERRORS:
            return again()

    return answers


def get(server: Server, keys: Sequence[bytes], *, tries: int = 2) -> list[bytes | None]:
    """Reads the values of keys, None for a missing key, in one round trip (per node of a cluster).

    Raises:
        OnlineUnavailable: the server does not answer.
    """
    if not keys:
        return []

    def ask() -> list[bytes | None]:
        groups = server.groups(keys, most=10_000)
        if len(groups) == 1:
            return raise_errors(server.send([("MGET", *keys)], keys[:1]))[0]
        commands = [("MGET", *(keys[place] for place in group)) for group in groups]
        answers = raise_errors(server.send(commands, [keys[group[0]] for group in groups]))
        values: list[bytes | None] = [None] * len(keys)
        for group, group_values in zip(groups, answers, strict=True):
            for place, value in zip(group, group_values, strict=True):
                values[place] = value
        return values

    return retry(server, ask, tries=tries)


def raise_errors(answers: list[Any]) -> list[Any]:
    """Returns the responses of ``send``, or raises the first error among them."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
