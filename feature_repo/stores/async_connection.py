"""The asynchronous connection of Feast's online store to Redis: alone, in a cluster or behind Sentinel."""

import asyncio
from typing import Any

from feast import RepoConfig
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry

from feature_repo.home import Home
from feature_repo.packed.server import REDIS_ERRORS, sentinel_arguments, unavailable
from feature_repo.stores import redis_server
from feature_repo.stores.ownership import claim


class AsyncConnection:
    """Reads values from Redis with one client for the running event loop."""

    def __init__(self) -> None:
        self._client: tuple[Any, Any] | None = None

    async def get(self, config: RepoConfig, names: list[bytes]) -> list[bytes | None]:
        """Fetches the values of names, None for missing ones; connects again once if the connection is lost.

        Raises:
            OnlineUnavailable: Redis does not answer.
        """
        if not names:
            return []
        try:
            for attempt in (1, 2):
                try:
                    client = self._loop_client(config)
                    if isinstance(client, redis_asyncio.RedisCluster):
                        return await client.mget_nonatomic(names)
                    return await client.mget(names)
                except (redis_asyncio.ConnectionError, redis_asyncio.TimeoutError):
                    self._client = None
                    if attempt == 2:
                        raise
        except REDIS_ERRORS as error:
            raise unavailable(error) from error
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Closes the client, if there is one."""
        if self._client is not None:
            client, self._client = self._client[1], None
            await client.aclose()

    def _loop_client(self, config: RepoConfig) -> Any:
        """Returns one client per event loop; starts the embedded server if it does not run."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._client[0] is not loop:
            options, home = config.online_store, Home.from_env()
            address = options.address()
            arguments = address.arguments(options.read_timeout, Retry)
            client: Any
            if address.is_embedded:
                claim(home, config)
                redis_server.ensure(home)
                client = redis_asyncio.Redis(unix_socket_path=str(redis_server.socket_path(home)))
            elif address.kind == "redis_cluster":
                nodes = [redis_asyncio.cluster.ClusterNode(host, port) for host, port in address.nodes]
                client = redis_asyncio.RedisCluster(startup_nodes=nodes, **arguments)
            elif address.kind == "redis_sentinel":
                sentinel_options = sentinel_arguments(address, arguments)
                sentinel = redis_asyncio.Sentinel(address.nodes, sentinel_kwargs=sentinel_options)
                client = sentinel.master_for(address.options["sentinel_master"], **arguments)
            else:
                host_and_port = {"host": address.nodes[0][0], "port": address.nodes[0][1]} if address.nodes else {}
                client = redis_asyncio.Redis(**host_and_port, **arguments)
            self._client = (loop, client)
        return self._client[1]
