"""Feast's Redis online store on the embedded server."""

from typing import Any

from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from pydantic import StrictStr
from redis import asyncio as redis_asyncio

from feature_repo.home import Home
from feature_repo.stores import redis_server


class EmbeddedRedisOnlineStoreConfig(RedisOnlineStoreConfig):
    """As Feast's own, without an address: the server lies in the data folder."""

    type: StrictStr = "feature_repo.stores.embedded.EmbeddedRedisOnlineStore"  # type: ignore[assignment]

    def model_post_init(self, context: Any, /) -> None:
        """Make the data folder, so that plain `feast apply` finds a place for its registry on a fresh clone."""
        Home.from_env().ensure()


class EmbeddedRedisOnlineStore(RedisOnlineStore):
    """Starts the server on first use, and again should it have been killed since."""

    def _get_client(self, online_store_config: RedisOnlineStoreConfig) -> Any:
        self._client = redis_server.ensure(Home.from_env())
        return self._client

    async def _get_client_async(self, online_store_config: RedisOnlineStoreConfig) -> Any:
        home = Home.from_env()
        redis_server.ensure(home)
        if self._client_async is None:
            self._client_async = redis_asyncio.Redis(unix_socket_path=str(redis_server.socket_path(home)))
        return self._client_async
