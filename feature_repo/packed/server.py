"""The Redis that holds the packed values: the embedded one, one server, a master behind Sentinel, or a cluster."""

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
from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.stores import redis_server

T = TypeVar("T")

Command = tuple[Any, ...]
"""A Redis command as its words."""

READ_TIMEOUT, WRITE_TIMEOUT = 1.0, 30.0
"""Seconds that one answer may take."""

REDIS_ERRORS = (redis.RedisError, redis.exceptions.RedisClusterException)
"""Everything that redis-py raises."""

_PASSING = (
    *(redis.ConnectionError, redis.TimeoutError),
    *(redis.exceptions.ClusterError, redis.exceptions.RedisClusterException),
)
_PASSING_WORDS = ("LOADING", "READONLY", "OOM", "MISCONF", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "TRYAGAIN")
"""Errors after which the same again, on a new connection, may do better. A script's errors are words in a text."""


class Server(Protocol):
    """What reading and writing need of a Redis."""

    def groups(self, keys: Sequence[bytes], most: int) -> list[Sequence[int]]:
        """Places of the keys that may stand in one command, so many at the most."""
        ...

    def send(self, commands: Sequence[Command], keys: Sequence[bytes]) -> list[Any]:
        """Answers of commands that go out together; each is sent to where its key lies. Errors stand in the answers."""
        ...

    def begin(self, commands: Sequence[Command], keys: Sequence[bytes]) -> Callable[[], list[Any]]:
        """What ``send`` does, in two steps: the commands go out, and what comes back waits for the answers."""
        ...

    def everywhere(self, *command: Any) -> None:
        """A command without a key, on every node that holds data."""
        ...

    def scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        """Names that match, in batches."""
        ...

    def reconnect(self) -> None:
        """Forget the connections, and who is where."""
        ...


class OneServer:
    """One Redis, found anew after every failure: embedded, at an address, or the master that Sentinel names.

    Commands go through a connection that stays open, without redis-py's care for each call (which takes as long as the
    answer to a small one): ``persistent`` asks again should the connection have broken meanwhile.
    redis-py closes all connections of a client that nobody holds, so whoever uses one holds its client, too.
    """

    def __init__(self, connect: Callable[[], redis.Redis]) -> None:
        self._connect, self._lock = connect, threading.Lock()
        self._client: redis.Redis | None = None
        self._free: deque[tuple[redis.Redis, Any]] = deque()
        self._process = os.getpid()

    @property
    def client(self) -> redis.Redis:
        """Connected on first use."""
        client = self._client
        if client is None:
            with self._lock:
                client = self._client = self._client or self._connect()
        return client

    def groups(self, keys: Sequence[bytes], most: int) -> list[Sequence[int]]:
        """All keys may stand together."""
        return [range(start, min(start + most, len(keys))) for start in range(0, len(keys), most)]

    def send(self, commands: Sequence[Command], keys: Sequence[bytes]) -> list[Any]:
        """One round trip; the error of a command alone is raised."""
        answers = self.begin(commands, keys)()
        return raised(answers) if len(commands) == 1 else answers

    def begin(self, commands: Sequence[Command], keys: Sequence[bytes]) -> Callable[[], list[Any]]:
        """On a connection that is nobody else's until the answers are there."""
        if self._process != os.getpid():  # sockets of the process that we were forked from
            self._free, self._process, self._client = deque(), os.getpid(), None
        try:
            client, connection = self._free.pop()
        except IndexError:
            client = self.client
            connection = client.connection_pool.get_connection()
        try:
            connection.send_packed_command(connection.pack_commands(commands))
        except BaseException:
            connection.disconnect()
            raise
        return partial(self._finish, client, connection, len(commands))

    def _finish(self, client: redis.Redis, connection: Any, count: int) -> list[Any]:
        """So many answers; errors are among them."""
        try:
            answers = [_answer(connection) for _ in range(count)]
        except BaseException:
            connection.disconnect()  # answers may be under way that nobody will read
            raise
        self._free.append((client, connection))
        return answers

    def everywhere(self, *command: Any) -> None:
        """On the one there is."""
        self.client.execute_command(*command)

    def scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        """A thousand looked at a time."""
        yield from _scan(self.client, pattern)

    def reconnect(self) -> None:
        """The next command connects. Connections that other threads are using are theirs."""
        with self._lock:
            self._client, free, self._free = None, self._free, deque()
        while free:
            with contextlib.suppress(IndexError):  # another thread took it
                free.pop()[1].disconnect()


_Waiting = tuple[Any, Any, list[int]]
"""A pool, a connection of it that answers are under way on, and the places of their commands."""


class ClusterServer:
    """A Redis Cluster: commands are sent to all nodes at once, then all answers are read."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address, self._timeout, self._lock = address, timeout, threading.Lock()
        self._client: redis.RedisCluster | None = None

    @property
    def client(self) -> redis.RedisCluster:
        """Connected on first use."""
        client = self._client
        if client is None:
            with self._lock:
                client = self._client = self._client or self._connect()
        return client

    def _connect(self) -> redis.RedisCluster:
        nodes = [redis.cluster.ClusterNode(host, port) for host, port in self._address.nodes]
        arguments = self._address.arguments(self._timeout)
        return redis.RedisCluster(startup_nodes=nodes, retry=Retry(NoBackoff(), 1), **arguments)

    def groups(self, keys: Sequence[bytes], most: int) -> list[Sequence[int]]:
        """Those of one slot: with the hash tag, the views of one entity."""
        slots: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            slots.setdefault(redis.crc.key_slot(key), []).append(place)
        return [places[start : start + most] for places in slots.values() for start in range(0, len(places), most)]

    def send(self, commands: Sequence[Command], keys: Sequence[bytes]) -> list[Any]:
        """One round trip to each node; what has moved meanwhile is asked again where it is now."""
        return self.begin(commands, keys)()

    def begin(self, commands: Sequence[Command], keys: Sequence[bytes]) -> Callable[[], list[Any]]:
        """On connections that are nobody else's until the answers are there."""
        client = self.client
        by_node: dict[str, tuple[Any, list[int]]] = {}
        for place, key in enumerate(keys):
            node = client.nodes_manager.get_node_from_slot(redis.crc.key_slot(key))
            by_node.setdefault(node.name, (node, []))[1].append(place)
        waiting: list[_Waiting] = []
        try:
            for node, places in by_node.values():
                pool = client.get_redis_connection(node).connection_pool
                connection = pool.get_connection()
                waiting.append((pool, connection, places))
                connection.send_packed_command(connection.pack_commands([commands[place] for place in places]))
        except BaseException:
            _let_go(waiting)
            raise
        return partial(self._finish, client, commands, waiting)

    def _finish(self, client: redis.RedisCluster, commands: Sequence[Command], waiting: list[_Waiting]) -> list[Any]:
        answers: list[Any] = [None] * len(commands)
        try:
            for _, connection, places in waiting:
                for place in places:
                    answers[place] = _answer(connection)
        except BaseException:
            _let_go(waiting)
            raise
        for pool, connection, _ in waiting:
            pool.release(connection)
        moved = (redis.exceptions.MovedError, redis.exceptions.AskError, redis.exceptions.TryAgainError)
        for place, answer in enumerate(answers):
            if isinstance(answer, moved):
                answers[place] = client.execute_command(*commands[place])
        return answers

    def everywhere(self, *command: Any) -> None:
        """On every primary."""
        self.client.execute_command(*command, target_nodes=redis.RedisCluster.PRIMARIES)

    def scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        """Of every primary."""
        for node in self.client.get_primaries():
            yield from _scan(self.client.get_redis_connection(node), pattern)

    def reconnect(self) -> None:
        """The next command asks for the slots again. Other threads finish on the connections that they have."""
        self._client = None


def _answer(connection: Any) -> Any:
    """The next one that comes; an error is one, too."""
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def _let_go(waiting: list[_Waiting]) -> None:
    """Of connections on which answers may be under way that nobody will read."""
    for pool, connection, _ in waiting:
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
    """The server at an address; it is connected to when it is first asked."""
    if address.is_embedded:
        return OneServer(lambda: redis_server.ensure(home, timeout))
    if address.kind == "redis_cluster":
        return ClusterServer(address, timeout)
    return OneServer(lambda: _connect(address, timeout))


def _connect(address: Address, timeout: float) -> redis.Redis:
    arguments = address.arguments(timeout) | {"retry": Retry(NoBackoff(), 0)}
    if address.kind == "redis_sentinel":
        sentinel = redis.Sentinel(address.nodes, sentinel_kwargs=sentinel_arguments(address, arguments))
        return sentinel.master_for(address.options["sentinel_master"], **arguments)
    if address.nodes:
        arguments["host"], arguments["port"] = address.nodes[0]
    return redis.Redis(**arguments)


def sentinel_arguments(address: Address, arguments: dict[str, Any]) -> dict[str, Any]:
    """Sentinels share the timeouts and the certificates of the servers, not their password or database."""
    own = {name: value for name, value in arguments.items() if name.startswith(("ssl", "socket"))}
    secret = address.options.get("sentinel_password") or os.environ.get("REFRAIN_SENTINEL_PASSWORD")
    return own | ({"password": secret} if secret else {})


@contextmanager
def telling() -> Iterator[None]:
    """What Redis or the network complains of, as an error that a person can put right.

    Raises:
        OnlineUnavailable: instead of redis-py's errors.
    """
    try:
        yield
    except REDIS_ERRORS as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> OnlineUnavailable:
    """The typed error for one of redis-py's."""
    found = _short(error)
    for kind, word, expected, command in _CAUSES:
        if isinstance(error, kind) or (word and word in str(error)):
            return OnlineUnavailable(expected=f"the online store {expected}", found=found, next_command=command)
    status = "python -m feature_repo redis status"
    return OnlineUnavailable(expected="the online store to answer", found=found, next_command=status)


class _Never(Exception):
    """For causes that are known by their word alone."""


_CAUSES: tuple[tuple[type[Exception], str, str, str], ...] = (
    (redis.exceptions.OutOfMemoryError, "OOM", "to have room", "redis-cli config get maxmemory  (raise it)"),
    (redis.ReadOnlyError, "READONLY", "to take writes", "redis-cli role  (a replica answers: name the master)"),
    (_Never, "MISCONF", "to have a disk to write to", "redis-cli info persistence"),
    (redis.AuthenticationError, "", "to let us in", "export REFRAIN_REDIS_PASSWORD=…"),
    (redis.exceptions.NoPermissionError, "", "to let us in", "redis-cli acl whoami  (that user may not do this)"),
    (redis.TimeoutError, "", "to answer in time", "python -m feature_repo redis status"),
    (redis.exceptions.ClusterDownError, "CLUSTERDOWN", "to have all its nodes", "redis-cli cluster info"),
)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, redis.AuthenticationError):
        return False
    return isinstance(error, _PASSING) or any(word in str(error) for word in _PASSING_WORDS)


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__


def persistent(server: Server, ask: Callable[[], T], *, tries: int, patience: float = 0.0) -> T:
    """Ask; after a failure that may pass connect anew and ask again. For what may be done twice only.

    Args:
        server: that is asked.
        ask: the question.
        tries: questions at the least.
        patience: seconds to go on for, each pause about twice as long as the one before.

    Raises:
        OnlineUnavailable: it did not pass.
    """
    started, pause = time.monotonic(), 0.05
    attempt = 0
    while True:
        attempt += 1
        try:
            return ask()
        except REDIS_ERRORS as error:
            if not _may_pass(error):
                raise unavailable(error) from error
            server.reconnect()
            waited = time.monotonic() - started
            if attempt >= tries and waited + pause > patience:
                raise unavailable(error) from error
            if patience:
                time.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, 2.0)


def begun(
    server: Server, commands: Sequence[Command], keys: Sequence[bytes], again: Callable[[], list[Any]]
) -> Callable[[], list[Any]]:
    """Send commands, without waiting for their answers. For what may be done twice only.

    Args:
        server: that is asked.
        commands: of which each has a key.
        keys: those.
        again: asks the same once more, as ``persistent`` does, should anything fail.

    Returns:
        What waits for the answers.
    """
    try:
        finish = server.begin(commands, keys)
    except REDIS_ERRORS:
        return again

    def answers() -> list[Any]:
        try:
            return raised(finish())
        except REDIS_ERRORS:
            return again()

    return answers


def get(server: Server, keys: Sequence[bytes], *, tries: int = 2) -> list[bytes | None]:
    """Values of keys, None where there is none; one round trip (to each node of a cluster).

    Raises:
        OnlineUnavailable: the server does not answer.
    """
    if not keys:
        return []

    def ask() -> list[bytes | None]:
        groups = server.groups(keys, most=10_000)
        if len(groups) == 1:
            return raised(server.send([("MGET", *keys)], keys[:1]))[0]
        commands = [("MGET", *(keys[place] for place in group)) for group in groups]
        answers = raised(server.send(commands, [keys[group[0]] for group in groups]))
        found: list[bytes | None] = [None] * len(keys)
        for group, values in zip(groups, answers, strict=True):
            for place, value in zip(group, values, strict=True):
                found[place] = value
        return found

    return persistent(server, ask, tries=tries)


def raised(answers: list[Any]) -> list[Any]:
    """What ``send`` answered; the first error among it is raised."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
